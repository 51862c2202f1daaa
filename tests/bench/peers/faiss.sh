#!/bin/sh
# faiss.sh DIR: builds DIR/libfaiss.a from Debian's source of the Faiss that libfaiss-dev has.
#
# Debian's own library is for every x86-64: without AVX2 its FastScan runs on emulated vectors and
# is 8 times slower here, so it would be no peer. Same source, same headers, this machine's
# instructions.
set -eu

dir=$1
version=$(dpkg-query -W -f '${source:Upstream-Version}' libfaiss-dev)
mkdir -p "$dir/lists/partial"
cd "$dir"

if [ ! -d "faiss-$version" ]; then
    # The archive this machine installs from, asked for sources in place of binaries.
    uri=$(apt-cache policy | sed -nE 's#^ *[0-9]+ +([^ ]+/debian) [^ ]+/main .*#\1#p' | head -n 1)
    cat > debian.sources <<EOF
Types: deb-src
URIs: $uri
Suites: $(. /etc/os-release && echo "$VERSION_CODENAME")
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
EOF
    apt="apt-get -q -o Dir::Etc::sourcelist=$PWD/debian.sources -o Dir::Etc::sourceparts=-
         -o Dir::State::lists=$PWD/lists -o APT::Sandbox::User=root"
    $apt update
    $apt --download-only source faiss
    tar xf "faiss_$version.orig.tar.gz"
fi

cd "faiss-$version"
cat > peer.mk <<'EOF'
SRC := $(shell find faiss -name '*.cpp' -not -path '*/gpu/*' -not -path '*/python/*')
../libfaiss.a: $(SRC:.cpp=.o)
	ar rcs $@ $^
%.o: %.cpp
	$(CXX) -std=c++17 -O3 -march=native -fopenmp -DFINTEGER=int -DNDEBUG -I. -w -c -o $@ $<
EOF
exec make -s -j2 -f peer.mk
