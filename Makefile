# vdb: `make help` lists the targets.

CC       ?= cc
MODE     ?= release
SAN      ?=
PREFIX   ?= /usr/local
PLANTS   ?=

comma    := ,

# One folder of objects per compiler and set of flags, so that switching never rebuilds the other.
CC_NAME  := $(notdir $(firstword $(CC)))
VARIANT  := $(CC_NAME)-$(MODE)$(if $(LIBS3),-libs3)
VARIANT  := $(VARIANT)$(if $(SAN),-$(subst $(,),-,$(SAN)))$(if $(PLANTS),-plants)
VARIANT  := $(subst $(comma),-,$(VARIANT))
OBJ      := build/$(VARIANT)

WARN     := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wvla -Wstrict-prototypes \
            -Wmissing-prototypes -Wswitch-enum $(if $(CI),-Werror)
CPPFLAGS += -D_GNU_SOURCE -Isrc -Itests -MMD -MP $(if $(PLANTS),-DVDB_PLANTS)
CFLAGS   += -std=c17 -g $(WARN) -fno-strict-aliasing -pthread
LDFLAGS  += -pthread
LDLIBS   += -luv -lxxhash -lroaring -licuuc -lstemmer -lcurl -lcrypto -lm -ldl
# Lanes are threads already: the OpenBLAS that has none of its own, where it is there.
BLAS     := $(firstword $(wildcard /usr/lib/*/openblas-serial))
LDLIBS   += $(if $(BLAS),-L$(BLAS) -Wl$(comma)-rpath$(comma)$(BLAS)) -lopenblas

ifeq ($(MODE),release)
CFLAGS   += -O3 -fPIE -fstack-protector-strong -fstack-clash-protection
CPPFLAGS += $(if $(SAN),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
LDFLAGS  += -pie -Wl,-z,relro,-z,now -Wl,-z,noexecstack
else
CFLAGS   += -O0
CPPFLAGS += -DVDB_CHECK_SLOW
endif
ifneq ($(SAN),)
CFLAGS   += -fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=all
LDFLAGS  += -fsanitize=$(SAN)
CPPFLAGS += -DVDB_CHECK_SLOW -DVDB_SANITIZER
else
LDLIBS   += -ljemalloc
endif

# libs3 is GPL-3, so what has it in is too: README.md, "Back up to S3 or MinIO".
ifneq ($(LIBS3),)
CPPFLAGS += -DVDB_LIBS3
LDLIBS   += -ls3
endif

# Kernels are compiled once per instruction set; the table is chosen at start.
$(OBJ)/src/vec/kernels_avx2.o:   CFLAGS += -mavx2 -mfma -mf16c -mpopcnt
$(OBJ)/src/vec/kernels_avx512.o: CFLAGS += -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512vnni \
                                           -mavx512vpopcntdq -mfma -mpopcnt

LAYERS     := base conf vec net index types json text ft db persist cluster cmd
LIB_SRC    := $(filter-out $(if $(LIBS3),,%/store_libs3.c),\
                $(foreach layer,$(LAYERS),$(wildcard src/$(layer)/*.c))) \
              $(filter-out src/main.c,$(wildcard src/*.c))
TOOL_SRC   := $(wildcard src/tool/*.c)
UNIT_SRC   := $(filter-out %/replay_main.c,$(wildcard tests/lib/*.c tests/unit/*.c tests/sim/*.c \
                tests/recall/*.c))
INTEGRATION_SRC := $(wildcard tests/integration/*.c) tests/lib/test.c
FUZZ       := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
objects     = $(patsubst %.c,$(OBJ)/%.o,$(1))

.DEFAULT_GOAL := all
.PHONY: all
all: build/vdb-server build/vdb ## build the server and the command-line tool

# What stands here is the variant built last, so time stamps do not tell whether it is this one.
.PHONY: always
build/vdb-server build/vdb build/vdb-server-debug: build/%: $(OBJ)/% always
	@cmp -s $< $@ || cp -f $< $@
$(OBJ)/libvdb.a: $(call objects,$(LIB_SRC))
	@rm -f $@
	$(AR) rcs $@ $^
$(OBJ)/vdb-server: $(OBJ)/src/main.o $(OBJ)/libvdb.a
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(OBJ)/vdb: $(call objects,$(TOOL_SRC)) $(OBJ)/libvdb.a
	$(CC) $(LDFLAGS) -o $@ $^ -lhiredis $(LDLIBS)
$(OBJ)/vdb-server-debug: $(OBJ)/src/main.o $(OBJ)/tests/debug/cmd_debug.o $(OBJ)/libvdb.a
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(OBJ)/unit-tests: $(call objects,$(UNIT_SRC) $(filter-out %/vdb.c,$(TOOL_SRC))) $(OBJ)/libvdb.a
	$(CC) $(LDFLAGS) -o $@ $^ -lhiredis $(LDLIBS)

$(OBJ)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

.PHONY: debug-server
debug-server: build/vdb-server-debug ## a server with the command DEBUG, for tests

.PHONY: unit
unit: $(OBJ)/unit-tests ## build and run the unit tests (T="substring ..." picks some)
	$< $(T)
.PHONY: unit-tests print-unit-tests
unit-tests: $(OBJ)/unit-tests
print-unit-tests:
	@echo $(OBJ)/unit-tests

$(OBJ)/integration-tests: $(call objects,$(INTEGRATION_SRC)) $(OBJ)/libvdb.a
	$(CC) $(LDFLAGS) -o $@ $^ -lhiredis $(LDLIBS)

.PHONY: integration
integration: $(OBJ)/integration-tests $(OBJ)/vdb-server ## test a running server (T="substring ...")
	VDB_SERVER=$(OBJ)/vdb-server $< $(T)

$(OBJ)/s3-tests: $(call objects,tests/s3/s3_test.c tests/lib/test.c) $(OBJ)/libvdb.a
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)
.PHONY: s3 s3-tests print-s3-tests s3-server
s3: ## test the S3 backend against a real server, Ceph's radosgw (T="substring ...")
	@tests/s3/run.sh install $(T)
s3-tests: $(OBJ)/s3-tests
s3-server: $(OBJ)/vdb-server
print-s3-tests:
	@echo $(OBJ)/s3-tests

.PHONY: visible
visible: $(OBJ)/integration-tests $(OBJ)/vdb-server ## is each of N added vectors found at once?
	VISIBLE_N=$(or $(N),100000) VDB_SERVER=$(OBJ)/vdb-server $< visible.

.PHONY: maxmemory-test
maxmemory-test: $(OBJ)/integration-tests $(OBJ)/vdb-server ## N vectors into too few MB
	MAXMEMORY_N=$(or $(N),1000000) MAXMEMORY_MB=$(or $(MB),400) VDB_SERVER=$(OBJ)/vdb-server \
	    $< maxmemory.

# A fuzzer is tests/fuzz/fuzz_NAME.c and its corpus tests/fuzz/corpus/NAME. `make fuzz-NAME`
# searches with clang for FUZZ_S seconds and keeps what it finds in build/corpus/NAME.
FUZZ_S   ?= 30
$(OBJ)/replay-%: $(OBJ)/tests/fuzz/fuzz_%.o $(OBJ)/tests/lib/replay_main.o $(OBJ)/libvdb.a
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(OBJ)/fuzz-%: $(OBJ)/tests/fuzz/fuzz_%.o $(OBJ)/libvdb.a
	$(CC) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(LDLIBS)

.SECONDARY: $(FUZZ:%=$(OBJ)/tests/fuzz/fuzz_%.o) $(OBJ)/tests/lib/replay_main.o

.PHONY: fuzz fuzz-replay $(FUZZ:%=fuzz-%) $(FUZZ:%=search-%)
fuzz: $(FUZZ:%=fuzz-%) ## look for inputs that break a parser, FUZZ_S seconds each (fuzz-resp: one)
fuzz-replay: $(FUZZ:%=$(OBJ)/replay-%) ## run every fuzzer over its committed corpus
	@for name in $(FUZZ); do $(OBJ)/replay-$$name tests/fuzz/corpus/$$name || exit 1; done
$(FUZZ:%=fuzz-%): fuzz-%:
	@$(MAKE) CC=clang SAN=fuzzer-no-link,address,undefined search-$*
$(FUZZ:%=search-%): search-%: $(OBJ)/fuzz-%
	@mkdir -p build/corpus/$*
	$< -max_total_time=$(FUZZ_S) -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
	   -artifact_prefix=build/corpus/ build/corpus/$* tests/fuzz/corpus/$*

.PHONY: vdb.conf
vdb.conf: build/vdb-server ## write the options and their defaults again after config.def changed
	$< --print-config > $@

$(OBJ)/bench-kernels: $(call objects,tests/bench/bench_kernels.c tests/bench/read_speed.c) \
                      $(OBJ)/libvdb.a
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

.PHONY: bench-kernels
bench-kernels: $(OBJ)/bench-kernels ## what a row costs in each distance kernel
	$< $(T)

.PHONY: check test
check: ## what every commit must pass: build, style, unit tests, fuzz corpora, a smoke test
	@tests/all.sh check
test: ## all tests, sanitizers too; installs what is missing; ends with the sum of all
	@tests/all.sh test

.PHONY: run
run: ## start a server, fill it with 341,479 word vectors, show searches (PORT=7000)
	@PORT=$(PORT) tests/demo/run.sh

.PHONY: demo-crash
demo-crash: ## kill -9, a lost disk, a dropped collection: how long until searches are right again
	@PORT=$(PORT) tests/demo/crash.sh

.PHONY: example-rag example-cache
example-rag: ## retrieval in LangChain.js: real texts, filters, times (PORT=7000)
	@PORT=$(PORT) examples/run.sh rag
example-cache: ## a semantic cache in redis-py that survives kill -9 (PORT=7000)
	@PORT=$(PORT) examples/run.sh cache

.PHONY: install
install: all ## put vdb-server and vdb into PREFIX/bin
	install -d $(DESTDIR)$(PREFIX)/bin
	install -m 755 build/vdb-server build/vdb $(DESTDIR)$(PREFIX)/bin

.PHONY: clean
clean: ## remove everything that was built
	rm -rf build

.PHONY: help
help: ## this list
	@grep -hE '^[a-z][a-z0-9.-]*:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

include tests/bench/bench.mk
include tests/crash/crash.mk
include tests/robust/robust.mk
include redis-compat/compat.mk

-include $(shell find $(OBJ) -name '*.d' 2>/dev/null)
