# Shortage of memory, and arguments of every kind: tests/robust/README.md.

ROBUST_SRC := $(wildcard tests/robust/*.c) tests/crash/pool.c tests/sim/inspect.c \
              $(wildcard tests/sim/sim_*.c)
ROBUST_SRC := $(filter-out %_test.c,$(ROBUST_SRC))
$(OBJ)/robust-tests: $(call objects,$(ROBUST_SRC)) $(OBJ)/libvdb.a
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)
# The fuzzer of commands has a whole server in it.
FUZZ_COMMAND := $(addprefix tests/robust/,fuzz_world.c grammar.c values.c rig.c reply_shape.c) \
                tests/sim/inspect.c $(wildcard tests/sim/sim_*.c)
FUZZ_COMMAND := $(filter-out %_test.c,$(FUZZ_COMMAND))
$(OBJ)/replay-command $(OBJ)/fuzz-command: $(call objects,$(FUZZ_COMMAND))
$(OBJ)/replay-command $(OBJ)/fuzz-command: LDLIBS := $(OBJ)/libvdb.a $(LDLIBS)

.PHONY: robust robust-sim robust-tests
robust-tests: $(OBJ)/robust-tests
robust-sim: $(OBJ)/robust-tests
	$< --seconds $(or $(S),60) $(ROBUST_OPTIONS)
robust: robust-sim all fuzz-replay ## short memory, odd arguments, bad connections (S=60: seconds)
	tests/integration/connections_test.py
	tests/integration/cve_test.py
