/* replay_main.c: runs a fuzz harness over the files of its corpus, with any compiler.
 *
 *     replay-resp tests/fuzz/corpus/resp [folder or file ...]
 *
 * `make fuzz-resp` looks for new inputs; this makes sure that the known ones stay harmless. Exits
 * with an error when a folder holds no file, since then nothing was checked. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

enum { INPUT_MAX = 1 << 20, PATH_SIZE = 4096 };

/* Returns how many inputs ran: 1, or 0 with a message. */
static int replay_file(const char *path)
{
    static uint8_t room[INPUT_MAX];
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return 0;
    }
    size_t len = fread(room, 1, sizeof(room), file);
    (void)fclose(file);
    /* A copy of the exact size, so that a sanitizer sees a read past the end. */
    uint8_t *bytes = malloc(len > 0 ? len : 1);
    if (bytes == NULL)
        abort();
    memcpy(bytes, room, len);
    (void)LLVMFuzzerTestOneInput(bytes, len);
    free(bytes);
    return 1;
}

static int visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* Runs the files of a folder in the order of their names; returns how many. */
static int replay_folder(const char *folder)
{
    struct dirent **entries;
    int count = scandir(folder, &entries, visible, alphasort);
    if (count < 0)
        return replay_file(folder);
    int ran = 0;
    for (int i = 0; i < count; i++) {
        char path[PATH_SIZE];
        (void)snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);
        ran += replay_file(path);
        free(entries[i]);
    }
    free(entries);
    return ran;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        int ran = replay_folder(argv[i]);
        printf("%s: %d inputs replayed\n", argv[i], ran);
        if (ran == 0)
            return EXIT_FAILURE;
    }
    return argc > 1 ? EXIT_SUCCESS : EXIT_FAILURE;
}
