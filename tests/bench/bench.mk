# Benchmarks: what is measured and how is in tests/bench/README.md.

BENCH_DATA ?= glove100 fashion784
BENCH_ARGS ?=
BENCH_OBJ  := $(OBJ)/tests/bench
CXX        ?= c++

$(BENCH_OBJ)/prepare: $(call objects,tests/bench/prepare.c tests/bench/exact.c tests/bench/data.c) \
                      $(OBJ)/libvdb.a
	$(CC) $(LDFLAGS) -o $@ $^ -lopenblas $(LDLIBS)

.PHONY: bench-data
bench-data: $(BENCH_OBJ)/prepare ## make the data of the benchmarks (BENCH_DATA="glove100 ...")
	$< data $(BENCH_DATA)
