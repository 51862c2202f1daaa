/* limits.h: every limit a client can meet, in one place. Each is refused with an error that names
 * it, and has a test at the limit and one past it. */
#ifndef VDB_BASE_LIMITS_H
#define VDB_BASE_LIMITS_H

enum {
    LIMIT_ARG_COUNT = 1024 * 1024,        /* arguments of one command (multibulk length) */
    LIMIT_ARG_COUNT_NOAUTH = 10,          /* the same before authentication */
    LIMIT_BULK_SIZE_NOAUTH = 16 * 1024,   /* bytes of one argument before authentication */
    LIMIT_OUTPUT_NOAUTH = 64 * 1024,      /* bytes of replies not read before authentication */
    LIMIT_INLINE_SIZE = 64 * 1024,        /* bytes of an inline command */
    LIMIT_DIM = 65536,                    /* floats of a vector */
    LIMIT_KEY_SIZE = 65535,               /* bytes of a key of a collection, and of an element id */
    LIMIT_PATTERN_SIZE = 4096,            /* bytes of a pattern of KEYS, SCAN, CONFIG GET */
    LIMIT_EF = 1000000,                   /* EF and COUNT of a search */
    LIMIT_M_MIN = 4,                      /* links per node and level of HNSW */
    LIMIT_M = 4096,
    LIMIT_NLIST = 65536,                  /* lists of IVF, and NPROBE */
    LIMIT_SUB = 1024,                     /* parts of PQ */
    LIMIT_EFC = 4096,                     /* EFC of VCREATE */
    LIMIT_FILTER_SIZE = 64 * 1024,        /* bytes of a filter expression */
    LIMIT_FILTER_DEPTH = 64,              /* nesting of parentheses and of paths */
    LIMIT_FILTER_NODES = 4096,            /* operands and operators of one filter */
    LIMIT_FILTER_FIELDS = 256,            /* fields of one filter; each step of a path counts */
    LIMIT_QUERY_SIZE = 1024 * 1024,       /* bytes of a query of FT.SEARCH */
    LIMIT_QUERY_DEPTH = 129,              /* its nesting, plus one */
    LIMIT_QUERY_NODES = 65536,            /* its words and clauses */
    LIMIT_QUERY_WIDE = 16 * 1024,         /* bytes beyond ASCII in its words, which ICU breaks */
    LIMIT_QUERY_OPERANDS = 30000,         /* its values, comparisons and what joins them */
    LIMIT_MONITOR_WORD = 16384,           /* bytes that MONITOR shows of a word */
    LIMIT_MONITOR_LINE = 65536,           /* and of a command, about */
    LIMIT_QUERY_FILTERS = 64,             /* GEOFILTERs beside it */
    LIMIT_QUERY_RADII = 8,                /* its VECTOR_RANGEs */
    LIMIT_INDEX_FIELDS = 1024,            /* fields of a schema of FT.CREATE */
    LIMIT_INDEXES = 1024,                 /* indexes over keys */
    LIMIT_ALIASES = 1024,                 /* of all of them */
    LIMIT_WORD_LISTS = 1024,              /* dictionaries; groups of synonyms of an index */
    LIMIT_WORDS = 65536,                  /* of a dictionary, or of all groups of an index */
    LIMIT_SYNONYMS = 1000,                /* words of a group */
    LIMIT_SPELL_DICTIONARIES = 16,        /* that FT.SPELLCHECK names */
    LIMIT_SPELL_EDITS = 4,                /* of its DISTANCE */
    LIMIT_WORD = 1024,                    /* bytes of such a word */
    LIMIT_CURSORS = 128,                  /* of WITHCURSOR, of one index */
    LIMIT_HYBRID = 10000,                 /* K and WINDOW of FT.HYBRID */
    LIMIT_PIECES = 1000000,               /* FRAGS and LEN of SUMMARIZE */
    LIMIT_MARK_SIZE = 4096,               /* bytes of its SEPARATOR, and of TAGS of HIGHLIGHT */
    LIMIT_AGGREGATE_SIZE = 1 << 30,       /* bytes of the rows of an FT.AGGREGATE */
    LIMIT_SCHEMA_FIELDS = 16,             /* fields of a SCHEMA */
    LIMIT_SCHEMA_NAMES = 256,             /* bytes of all their names */
    LIMIT_PARTITIONS = 1024,              /* of a collection, with _default */
    LIMIT_PARTITION_NAME = 255,           /* bytes of the name of one */
    LIMIT_TAG_SIZE = 1024,                /* bytes of a string that a TAG column holds */
    LIMIT_RETURN_FIELDS = 64,             /* fields of RETURN */
    LIMIT_EXAMPLES = 1000,                /* elements of POSITIVE, and of NEGATIVE */
    LIMIT_GROUPS = 10000,                 /* GROUPBY: groups, and how many hits are looked at, */
    LIMIT_GROUP_SIZE = 1000,              /* and hits of one */
    LIMIT_MMR = 1000,                     /* hits chosen by MMR, */
    LIMIT_MMR_FETCH = 10000,              /* and hits to choose from */
    LIMIT_TIMEOUT_MS = 3600 * 1000,       /* TIMEOUT of a search */
    LIMIT_PARAMS = 256,                   /* name value pairs after PARAMS */
    LIMIT_JSON_DEPTH = 128,               /* nesting of an attribute that a filter reads */
    LIMIT_JSON_PATH_SIZE = 64 * 1024,     /* bytes of a JSONPath, */
    LIMIT_JSON_PATH_STEPS = 128,          /* its steps, and those of each path in its filters, */
    LIMIT_JSON_PATH_OPS = 128,            /* operators and terms of a filter, */
    LIMIT_JSON_PATH_NESTING = 8,          /* and filters in paths in filters */
    LIMIT_JSON_WORK = 256 << 20,          /* bytes that a JSONPath passes over in a document */
    LIMIT_REGEX_STATES = 4096,            /* of a regular expression */
    LIMIT_MANY = 1000000,                 /* elements of one VMADD, queries of one VMSEARCH */
    LIMIT_MULTI_COMMANDS = 1024 * 1024,   /* that wait for EXEC */
    LIMIT_MULTI_SIZE = 256 * 1024 * 1024, /* bytes of these */
    LIMIT_WATCHED_KEYS = 64 * 1024,       /* of one client */
    LIMIT_ELEMENT_TTL_S = 0x7fffffff,     /* ELEMENTTTL, TEMPORARY of FT.CREATE */
    LIMIT_ROWS = 0x7fffffff,              /* elements of a collection */
    LIMIT_STRING_SIZE = 1 << 30,          /* bytes of a string; proto-max-bulk-len has less */
    LIMIT_LCS_CELLS = 1 << 20,            /* of LCS: (length + 1) of one string times the other's */
    LIMIT_COPY_ELEMENTS = 20000,          /* of a collection for COPY, DUMP and RESTORE, */
    LIMIT_COPY_SIZE = 16 << 20,           /* and its bytes */
    LIMIT_RECORD_SIZE = 0x7ffffff8        /* bytes of what one command, or transaction, changes */
};

/* An attribute, a string value: as long as a bulk (proto-max-bulk-len, 512 MiB by default). */

#endif
