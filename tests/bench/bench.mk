# Benchmarks: what is measured and how is in tests/bench/README.md.

BENCH_DATA ?= glove100 fashion784
BENCH_ARGS ?=
BENCH_OBJ  := $(OBJ)/tests/bench
BENCH_LIB  := tests/bench/exact.c tests/bench/data.c
BENCH_PEER := $(patsubst %.cpp,$(OBJ)/%.o,$(wildcard tests/bench/peers/*.cpp))
# Debian's library instead of our build of its source: BENCH_FAISS=-lfaiss (see peers/faiss.sh).
BENCH_FAISS ?= build/faiss/libfaiss.a
CXX        ?= c++

build/faiss/libfaiss.a: tests/bench/peers/faiss.sh | bench-packages
	$< $(@D)

# Peers are what their users would run: all of this machine's instructions.
$(OBJ)/tests/bench/peers/%.o: tests/bench/peers/%.cpp | bench-packages
	@mkdir -p $(@D)
	$(CXX) -Isrc -Itests -MMD -MP -std=c++17 -O3 -march=native -DNDEBUG -fopenmp -w -c -o $@ $<

$(BENCH_OBJ)/prepare: $(call objects,tests/bench/prepare.c $(BENCH_LIB)) $(OBJ)/libvdb.a
	$(CC) $(LDFLAGS) -o $@ $^ -lopenblas $(LDLIBS)
$(BENCH_OBJ)/bench_index: $(call objects,tests/bench/bench_index.c tests/bench/bars.c \
                          tests/bench/curve.c tests/bench/data.c tests/bench/read_speed.c \
                          tests/bench/vdb_system.c) $(BENCH_PEER) $(OBJ)/libvdb.a \
                          $(filter %.a,$(BENCH_FAISS))
	$(CXX) $(LDFLAGS) -fopenmp -o $@ $^ $(filter -l%,$(BENCH_FAISS)) -lopenblas $(LDLIBS)
$(BENCH_OBJ)/wire_load: $(call objects,tests/bench/wire_load.c tests/bench/wire_docs.c \
                        tests/bench/wire_reply.c \
                        tests/bench/wire_request.c tests/bench/wire_stats.c tests/bench/data.c) \
                        $(OBJ)/libvdb.a
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

.PHONY: bench-packages
bench-packages:
	@bash -c '. tests/packages.sh && need_packages $$PACKAGES_BENCH'

.PHONY: bench-data
bench-data: bench-packages $(BENCH_OBJ)/prepare ## make the data of the benchmarks (BENCH_DATA="glove100 ...")
	@for set in $(filter glove100 fashion784,$(BENCH_DATA)); do bash tests/data/$$set.sh || exit 1; done
	$(BENCH_OBJ)/prepare data $(BENCH_DATA)

.PHONY: bench-keys
bench-keys: all ## memory of a million strings, of a million hashes, beside redis-server's (N=1000000)
	tests/bench/bench_keys.py $(N)

.PHONY: bench-index
bench-index: $(BENCH_OBJ)/bench_index bench-data ## our index and its peers (BENCH_ARGS="--systems ...")
	$< --cache data/bench-cache $(BENCH_ARGS) $(BENCH_DATA)

# Pictures of the README: BENCH_DATA, and peers, as bench-index has them.
.PHONY: bench-plot
bench-plot: $(BENCH_OBJ)/bench_index bench-data ## draw recall against speed, ours and peers', as tests/bench/curves-*.svg
	@bash -c '. tests/packages.sh && need_packages $$PACKAGES_PLOT'
	rm -f build/bench-points.csv
	$< --cache data/bench-cache --csv build/bench-points.csv $(BENCH_ARGS) $(BENCH_DATA)
	tests/bench/plot.py build/bench-points.csv tests/bench

.PHONY: bench-wire
bench-wire: build/vdb-server $(BENCH_OBJ)/wire_load $(BENCH_OBJ)/bench_index bench-data ## the server
	python3 tests/bench/bench_wire.py --server $< --tools $(BENCH_OBJ) $(BENCH_ARGS)

.PHONY: bench-persist
bench-persist: build/vdb-server $(BENCH_OBJ)/wire_load ## what durability costs; restart, snapshots
	@$(MAKE) --no-print-directory bench-data BENCH_DATA="glove100 syn128"
	python3 tests/bench/bench_persist.py --server $< --tools $(BENCH_OBJ) $(BENCH_ARGS)

$(BENCH_OBJ)/bench_snapshot: $(call objects,tests/bench/bench_snapshot.c tests/bench/data.c) \
                             $(OBJ)/libvdb.a
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

.PHONY: bench-shrink
bench-shrink: build/vdb-server $(BENCH_OBJ)/wire_load ## memory given back after deletes; recall meanwhile
	@$(MAKE) --no-print-directory bench-data BENCH_DATA="glove100"
	python3 tests/bench/bench_shrink.py --server $< --tools $(BENCH_OBJ) $(BENCH_ARGS)

.PHONY: bench-churn
bench-churn: build/vdb-server $(BENCH_OBJ)/wire_load bench-data ## recall and memory after replacing every element
	python3 tests/bench/bench_churn.py --server $< --tools $(BENCH_OBJ) $(BENCH_ARGS) $(BENCH_DATA)

.PHONY: bench-snapshot
bench-snapshot: $(BENCH_OBJ)/bench_snapshot bench-data ## snapshots in process: bytes, time to load
	$< build/bench-snapshot $(firstword $(BENCH_DATA))

$(BENCH_OBJ)/bench_filter: $(call objects,tests/bench/bench_filter.c tests/bench/data.c) \
                           $(OBJ)/libvdb.a
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

.PHONY: bench-filter
bench-filter: $(BENCH_OBJ)/bench_filter ## filtered searches beside the unfiltered one
	@$(MAKE) --no-print-directory bench-data BENCH_DATA="glove100"
	$< build/bench-filter $(BENCH_ARGS)

.PHONY: bench-recall
bench-recall: build/vdb-server ## what VSEARCH .. RECALL lands at, with filters, after replacing a fifth
	@$(MAKE) --no-print-directory bench-data BENCH_DATA="glove100 fashion784 syn768"
	python3 tests/bench/bench_recall.py --server $< $(BENCH_ARGS)
