#!/usr/bin/env bash
# Brings pictures of clothes as vectors: data/fashion784/train.fbin (60,000 x 784) and test.fbin
# (10,000 x 784), from the Debian package dataset-fashion-mnist. A second run does nothing.
set -euo pipefail
cd "$(dirname "$0")/../.."
source_folder=/usr/share/datasets/fashion-mnist
folder=data/fashion784
done_mark=$folder/.complete

if [ -e $done_mark ]; then
    exit 0
fi
. tests/packages.sh
need_packages $PACKAGES_FASHION784

rm -rf $folder
mkdir -p $folder
echo "fashion784: converting"
node tests/data/fashion784.mjs $source_folder $folder
touch $done_mark
