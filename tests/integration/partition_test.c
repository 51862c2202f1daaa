/* Partitions over the wire: VPARTITION and PARTITION. */
#include <stdlib.h>

#include "integration/peer.h"

/* clang-format off */
#define DAYS                                                                                       \
    {"VCREATE c DIM 2 METRIC L2", "+OK"},                                                          \
    {"VPARTITION CREATE c mon", "+OK"}, {"VPARTITION CREATE c tue", "+OK"},                        \
    {"VMADD c PARTITION mon FP32 2 a b {f32 0 0 1 0} ATTRS 2 '{\"n\":1}' '{\"n\":2}'", "[:1 :1]"}, \
    {"VMADD c PARTITION tue FP32 2 c d {f32 2 0 3 0}", "[:1 :1]"},                                 \
    {"VMADD c FP32 1 e {f32 4 0}", "[:1]"}
/* clang-format on */

TEST(partitions, searches_look_at_those_they_name)
{
    PLAY(DAYS, {"VSEARCH c VALUES 2 0 0", "['a' 'b' 'c' 'd' 'e']"},
         {"VSEARCH c VALUES 2 0 0 PARTITION 1 tue", "['c' 'd']"},
         {"VSEARCH c VALUES 2 5 0 PARTITION 2 mon _default", "['e' 'b' 'a']"},
         {"VSEARCH c VALUES 2 0 0 PARTITION 3 mon tue _default COUNT 4", "['a' 'b' 'c' 'd']"},
         {"VSEARCH c VALUES 2 0 0 PARTITION 1 mon FILTER '.n > 1'", "['b']"},
         {"VSEARCH c ELE a PARTITION 1 tue EXACT COUNT 1", "['c']"},
         {"VQUERY c '.n > 0' PARTITION 1 mon SORTBY n DESC WITHPARTITION",
          "[['b' 'mon'] ['a' 'mon']]"},
         {"VCOUNT c PARTITION 2 mon tue", ":4"}, {"VCOUNT c '.n > 0' PARTITION 1 tue", ":0"},
         {"VREMWHERE c '.n > 0' PARTITION 1 tue", ":0"},
         {"VREMWHERE c '.n > 1' PARTITION 1 mon", ":1"},
         {"VSEARCH c VALUES 2 0 0 PARTITION 1 wed",
          "-ERR no such partition 'wed'; create it with VPARTITION CREATE c wed"});
}

TEST(partitions, a_put_moves_and_a_drop_takes_all)
{
    PLAY(DAYS, {"VADD c VALUES 2 9 0 a PARTITION tue", ":0", "#f"},
         {"VSEARCH c VALUES 2 9 0 PARTITION 1 mon", "['b']"},
         {"VGET c 1 a WITHPARTITION", "[['a' '{\"n\":1}' 'tue']]"},
         {"VPARTITION DROP c tue", "+OK"}, {"VCARD c", ":2"}, {"VGET c 2 a c", "[nil nil]"},
         {"VSEARCH c VALUES 2 9 0", "['e' 'b']"}, {"VPARTITION CREATE c tue", "+OK"},
         {"VCOUNT c PARTITION 1 tue", ":0"}, {"VADD c VALUES 2 9 0 a PARTITION tue", ":1", "#t"},
         {"VGET c 1 a WITHPARTITION", "[['a' nil 'tue']]"});
}
