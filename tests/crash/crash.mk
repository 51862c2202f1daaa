# Crashes, faults and power losses: tests/sim/README.md has what is simulated, tests/crash/real what
# happens on the real system.

CRASH_SRC := $(wildcard tests/crash/*.c) $(filter-out %_test.c %_rig.c %/churn.c,$(wildcard tests/sim/*.c))
$(OBJ)/crash-tests: $(call objects,$(CRASH_SRC)) $(OBJ)/libvdb.a
	$(CC) $(LDFLAGS) -o $@ $^ -lhiredis $(LDLIBS)
.PHONY: crash-tests test-crash
crash-tests: $(OBJ)/crash-tests
	@echo $<
test-crash: ## crashes, faults, damage, planted bugs, kill -9 (S=60: seconds of each part)
	@MAKE="$(MAKE)" tests/crash/run.sh $(or $(S),60) 3000 $(or $(S),60)

# A disk whose power can be cut, for tests/crash/real/power.py.
$(OBJ)/tests/crash/real/blockfile.o: CPPFLAGS += -I/usr/include/fuse3
$(OBJ)/blockfile: $(OBJ)/tests/crash/real/blockfile.o $(OBJ)/libvdb.a
	$(CC) $(LDFLAGS) -o $@ $^ -lfuse3 $(LDLIBS)
build/blockfile: build/%: $(OBJ)/% always
	@cmp -s $< $@ || cp -f $< $@
