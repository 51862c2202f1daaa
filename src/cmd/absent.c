/* The list of what is not here. A command that is built leaves this list in the same change. */
#include "cmd/absent.h"

#include "base/check.h"

#define NO_SCRIPTING "scripting is not supported by vdb"
#define NO_CLUSTER "This instance has cluster support disabled"
#define NO_REPLICATION "replication is not in this version"
#define NO_ACL "users and access lists are not in this version: see requirepass"

/* sub: NULL when the first word decides. */
static const struct {
    const char *name, *sub, *reason;
} absent[] = {
    {"eval", NULL, NO_SCRIPTING},
    {"eval_ro", NULL, NO_SCRIPTING},
    {"evalsha", NULL, NO_SCRIPTING},
    {"evalsha_ro", NULL, NO_SCRIPTING},
    {"script", NULL, NO_SCRIPTING},
    {"fcall", NULL, NO_SCRIPTING},
    {"fcall_ro", NULL, NO_SCRIPTING},
    {"function", NULL, NO_SCRIPTING},
    {"cluster", "info", NO_CLUSTER},
    {"cluster", "nodes", NO_CLUSTER},
    {"cluster", "slots", NO_CLUSTER},
    {"cluster", "shards", NO_CLUSTER},
    {"cluster", "links", NO_CLUSTER},
    {"cluster", "myid", NO_CLUSTER},
    {"cluster", "myshardid", NO_CLUSTER},
    {"cluster", "meet", NO_CLUSTER},
    {"cluster", "replicas", NO_CLUSTER},
    {"cluster", "slaves", NO_CLUSTER},
    {"cluster", "failover", NO_CLUSTER},
    {"cluster", "reset", NO_CLUSTER},
    {"cluster", "countkeysinslot", NO_CLUSTER},
    {"cluster", "getkeysinslot", NO_CLUSTER},
    {"asking", NULL, NO_CLUSTER},
    {"readonly", NULL, NO_CLUSTER},
    {"readwrite", NULL, NO_CLUSTER},
    {"replconf", NULL, NO_REPLICATION},
    {"psync", NULL, NO_REPLICATION},
    {"sync", NULL, NO_REPLICATION},
    {"acl", "list", NO_ACL},
    {"acl", "users", NO_ACL},
    {"acl", "cat", NO_ACL},
    {"acl", "getuser", NO_ACL},
    {"acl", "setuser", NO_ACL},
    {"acl", "deluser", NO_ACL},
    {"acl", "genpass", NO_ACL},
    {"acl", "load", NO_ACL},
    {"acl", "save", NO_ACL},
    {"acl", "log", NO_ACL},
    {"acl", "dryrun", NO_ACL},
};

const char *absent_reason(const struct slice *argv, size_t argc)
{
    CHECK(argc >= 1);
    for (size_t i = 0; i < COUNT_OF(absent); i++) {
        if (!slice_eq_nocase(argv[0], absent[i].name))
            continue;
        if (absent[i].sub == NULL || (argc > 1 && slice_eq_nocase(argv[1], absent[i].sub)))
            return absent[i].reason;
    }
    return NULL;
}
