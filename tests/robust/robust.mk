# Shortage of memory, and arguments of every kind: tests/robust/README.md.

ROBUST_SRC := $(wildcard tests/robust/*.c) tests/crash/pool.c tests/sim/inspect.c \
              $(wildcard tests/sim/sim_*.c)
ROBUST_SRC := $(filter-out %_test.c,$(ROBUST_SRC))
$(OBJ)/robust-tests: $(call objects,$(ROBUST_SRC)) $(OBJ)/libvdb.a
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)
.PHONY: robust robust-tests
robust-tests: $(OBJ)/robust-tests
robust: $(OBJ)/robust-tests ## failing allocations and odd arguments, every command (S=60: seconds)
	$< --seconds $(or $(S),60) $(ROBUST_OPTIONS)
