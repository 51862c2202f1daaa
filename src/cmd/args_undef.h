/* args_undef.h: forgets what the words of commands.def meant, before they mean something else. No
 * include guard: it is included after each reading of the table. */
#undef KEY
#undef BULK
#undef INT
#undef VECTOR
#undef REST
#undef COUNTED
#undef MAYBE
#undef FLAG
#undef CHOICES
#undef CHOICE
#undef OPT_BULK
#undef OPT_INT
#undef OPT_FLOAT
#undef OPT_LIST
#undef OPT_PAIRS
