/* fuzz_command.c: no sequence of commands crashes a server, is answered with anything but a reply,
 * or changes anything with an error.
 *
 * The input is what the choices of tests/robust/grammar.h are made by: which command, which
 * options, which values. The server is whole, in the simulator. */
#include <stdio.h>

#include "robust/fuzz_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

enum { COMMANDS_MAX = 24 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct fuzz_world w;
    if (len == 0)
        return 0;
    struct targets targets = targets_all();
    fuzz_begin(&w, &targets, bytes[0] % 2 == 0 ? 3 : 2, (struct chance){.left = {bytes, len}});
    struct chance *chance = &w.grammar.chance;
    w.grammar.garbage = (unsigned)chance_below(chance, 40);
    w.grammar.edges = (unsigned)chance_below(chance, 40);
    for (int i = 0; i < COMMANDS_MAX && chance->left.len > 0 && !w.rig.stopped; i++) {
        enum fuzz_result result;
        const struct command *command = command_at(chance_below(chance, command_count()));
        const char *wrong = fuzz_command(&w, command, NULL, &result);
        if (wrong != NULL)
            (void)fprintf(stderr, "%s: %s\n", command->name, wrong);
        CHECK(wrong == NULL);
    }
    const char *wrong = fuzz_end(&w);
    CHECK(wrong == NULL);
    targets_free(&targets);
    return 0;
}
