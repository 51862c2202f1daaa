#include "lib/tree_faults.h"

#include "lib/test.h"

enum { LOOK_EVERY = 8 };

unsigned tree_faults_run(const struct tree_faults *f, struct tree_change *c)
{
    for (unsigned n = 1;; n++) {
        *c = (struct tree_change){.made = NULL};
        tree_change_begin(c, f->tree, f->ops);
        (void)mem_fail_nth(n);
        f->change(f->user, c);
        bool fired = mem_fail_nth(0);
        EXPECT_EQ(c->failed, fired);
        if (!fired)
            return n - 1;
        tree_change_discard(c);
        tree_change_fini(c);
        EXPECT(n % LOOK_EVERY != 0 || f->holds(f->user));
    }
}
