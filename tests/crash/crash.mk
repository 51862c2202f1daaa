# Crashes, faults and power losses: tests/crash/README.md.

# A disk whose power can be cut, for tests/crash/real/power.py.
$(OBJ)/tests/crash/real/blockfile.o: CPPFLAGS += -I/usr/include/fuse3
$(OBJ)/blockfile: $(OBJ)/tests/crash/real/blockfile.o $(OBJ)/libvdb.a
	$(CC) $(LDFLAGS) -o $@ $^ -lfuse3 $(LDLIBS)
build/blockfile: build/%: $(OBJ)/% always
	@cmp -s $< $@ || cp -f $< $@
