/* predicate.c: binds a filter to columns, and runs it over them. */
#include "db/predicate_program.h"

#include "text/match.h"

enum {
    NOT_READ = UINT8_MAX,
    STACK = 12,
    TAGS_FEW = 4,        /* up to so many are compared one by one */
    TAG_WORDS_MAX = 4096 /* of the bits of a filter */
};

/* -- binding ----------------------------------------------------------------------------------- */

/* What is known while a filter is bound. */
struct binding {
    struct predicate *p;
    const struct filter *f;
    uint8_t read_of_slot[FILTER_SLOTS]; /* place among p->reads, or NOT_READ */
    uint16_t moved[]; /* where each instruction of the filter stands now, and their end */
};

/* The field of the schema with the path that a slot of the filter has: both are looked up in one
 * set of paths, in which the same path has the same slot. */
static bool find_field(const struct binding *b, const struct fields *fields, uint32_t slot,
                       uint8_t *out)
{
    for (size_t i = 0; i < fields->schema.count; i++) {
        char path[LIMIT_SCHEMA_NAMES + 1] = ".";
        struct slice name = schema_name(&fields->schema, i);
        memcpy(path + 1, name.ptr, name.len);
        struct slice whole = {(const uint8_t *)path, name.len + 1};
        if (json_paths_find(&b->f->paths, whole) == slot) {
            *out = (uint8_t)i;
            return true;
        }
    }
    return false;
}

/* All fields that the filter reads or asks exists() of. False: one is not in the schema. */
static bool bind_fields(struct binding *b, const struct fields *fields)
{
    struct predicate *p = b->p;
    memset(b->read_of_slot, NOT_READ, sizeof(b->read_of_slot));
    for (uint32_t at = 0; at < b->f->op_count; at++) {
        struct filter_op op = b->f->ops[at];
        uint8_t field;
        if (op.code != FILTER_FIELD && op.code != FILTER_EXISTS)
            continue;
        if (b->read_of_slot[op.arg] != NOT_READ)
            continue;
        if (!find_field(b, fields, op.arg, &field))
            return false;
        CHECK(p->read_count < LIMIT_SCHEMA_FIELDS); /* one path has one slot */
        b->read_of_slot[op.arg] = (uint8_t)p->read_count;
        p->reads[p->read_count++] = (struct predicate_read){
            .field = field, .kind = schema_kind(&fields->schema, field), .may_miss = true};
    }
    for (uint32_t i = 0; i < b->f->need_count; i++)
        p->reads[b->read_of_slot[b->f->needs[i].slot]].may_miss = b->f->needs[i].may_miss;
    return p->read_count > 0;
}

/* A field compared with strings. */
static bool bind_tag(struct binding *b, const struct fields *fields, uint16_t read,
                     const struct value *constant, uint16_t code, bool turned)
{
    struct predicate *p = b->p;
    struct predicate_op op = {.arg = read};
    const struct tags *tags = &fields->fields[p->reads[read].field].tags;
    bool part = code == FILTER_CONTAINS || (code == FILTER_IN && turned);
    bool known = part || code == FILTER_EQ || code == FILTER_NE || code >= FILTER_IN;
    if (!known || !predicate_bind_tags(p, tags, constant, part ? FILTER_IN : code, part, &op))
        return false;
    p->reads[read].by_text |= !op.sets;
    p->ops[p->op_count++] = op;
    return true;
}

/* The comparison with its sides exchanged. */
static uint16_t mirrored(uint16_t code)
{
    switch (code) {
    case FILTER_GT:
        return FILTER_LT;
    case FILTER_GE:
        return FILTER_LE;
    case FILTER_LT:
        return FILTER_GT;
    case FILTER_LE:
        return FILTER_GE;
    default:
        return code;
    }
}

/* Does a column of the kind have less than the value itself? */
static bool is_lossy(enum schema_kind kind)
{
    return kind == SCHEMA_TAG || kind == SCHEMA_GEO;
}

static bool bind_circle(struct binding *b, uint16_t read, const struct value *list)
{
    struct predicate *p = b->p;
    p->circles[p->circle_count] = filter_circle(b->f, list);
    p->ops[p->op_count++] = (struct predicate_op){
        .code = PREDICATE_GEO, .arg = read, .circle = (uint16_t)p->circle_count};
    p->circle_count++;
    return true;
}

static bool bind_range(struct binding *b, uint16_t read, const struct value *list)
{
    struct predicate *p = b->p;
    if (is_lossy(p->reads[read].kind))
        return false;
    p->ops[p->op_count++] = (struct predicate_op){
        .code = PREDICATE_BETWEEN, .arg = read, .range = filter_range(b->f, list)};
    return true;
}

/* Three instructions at `at` that compare a field with a constant become one. */
static bool bind_comparison(struct binding *b, const struct fields *fields, uint32_t at)
{
    const struct filter *f = b->f;
    if (at + 2 >= f->op_count)
        return false;
    struct filter_op x = f->ops[at], y = f->ops[at + 1], op = f->ops[at + 2];
    bool turned = x.code == FILTER_CONSTANT && y.code == FILTER_FIELD;
    if (!turned && !(x.code == FILTER_FIELD && y.code == FILTER_CONSTANT))
        return false;
    if (b->p->reads[b->read_of_slot[(turned ? y : x).arg]].kind == SCHEMA_GEO)
        return op.code == FILTER_WITHIN &&
               bind_circle(b, b->read_of_slot[x.arg], &f->constants[y.arg]);
    if (op.code == FILTER_BETWEEN)
        return bind_range(b, b->read_of_slot[x.arg], &f->constants[y.arg]);
    bool one_way = op.code >= FILTER_IN && op.code <= FILTER_HAS_LIKE;
    if (op.code < FILTER_GT || op.code > FILTER_HAS_LIKE)
        return false;
    uint16_t read = b->read_of_slot[(turned ? y : x).arg];
    const struct value *constant = &f->constants[(turned ? x : y).arg];
    uint16_t code = turned ? mirrored(op.code) : op.code;
    if (turned && one_way && op.code != FILTER_IN)
        return false;
    if (b->p->reads[read].kind == SCHEMA_TAG)
        return bind_tag(b, fields, read, constant, code, turned);
    if (op.code == FILTER_IN && constant->kind == VALUE_SET && !turned &&
        b->p->reads[read].kind == SCHEMA_NUMERIC) {
        b->p->ops[b->p->op_count++] =
            (struct predicate_op){.code = PREDICATE_SET, .arg = read, .set = constant->set};
        return true;
    }
    if (one_way || (constant->kind != VALUE_NUMBER && constant->kind != VALUE_STRING))
        return false;
    double number = constant->kind == VALUE_NUMBER ? constant->number : text_number(constant);
    b->p->ops[b->p->op_count++] = (struct predicate_op){
        .code = PREDICATE_COMPARE, .arg = read, .compare = code, .number = number};
    return true;
}

/* Instruction by instruction. False: more of a text is asked than its column has. */
static bool bind_ops(struct binding *b, const struct fields *fields)
{
    const struct filter *f = b->f;
    struct predicate *p = b->p;
    for (uint32_t at = 0; at < f->op_count; at++) {
        b->moved[at] = (uint16_t)p->op_count;
        if (bind_comparison(b, fields, at)) {
            b->moved[at + 1] = b->moved[at + 2] = b->moved[at];
            at += 2;
            continue;
        }
        struct predicate_op op = {.code = f->ops[at].code, .arg = f->ops[at].arg};
        if (op.code == FILTER_FIELD || op.code == FILTER_EXISTS)
            op.arg = b->read_of_slot[op.arg];
        if (op.code == FILTER_FIELD && is_lossy(p->reads[op.arg].kind))
            return false;
        p->ops[p->op_count++] = op;
    }
    b->moved[f->op_count] = (uint16_t)p->op_count;
    for (uint32_t at = 0; at < p->op_count; at++)
        if (p->ops[at].code == FILTER_AND_TEST || p->ops[at].code == FILTER_OR_TEST)
            p->ops[at].arg = b->moved[p->ops[at].arg];
    return true;
}

static bool is_all_of(const struct predicate *p)
{
    for (uint32_t i = 0; i < p->op_count; i++) {
        uint16_t code = p->ops[i].code;
        if (code < PREDICATE_COMPARE && code != FILTER_AND_TEST && code != FILTER_BOOL)
            return false;
    }
    return true;
}

static size_t tag_words(const struct predicate *p, const struct predicate_op *op)
{
    if (op->code != PREDICATE_TAG || op->tag_count <= TAGS_FEW)
        return 0;
    return p->tags[op->tag_first + op->tag_count - 1] / 64 + 1;
}

/* Long lists of tags become bits: looking one up is then a load and no branches. Without memory for
 * them, or where numbers are large, the sorted list serves. */
static void make_bits(struct predicate *p)
{
    size_t words = 0;
    for (uint32_t i = 0; i < p->op_count; i++)
        words += tag_words(p, &p->ops[i]);
    if (words == 0 || words > TAG_WORDS_MAX)
        return;
    p->bits = mem_try_calloc(MEM_SCRATCH, words * sizeof(*p->bits));
    uint64_t *bits = p->bits;
    for (uint32_t i = 0; i < p->op_count && p->bits != NULL; i++) {
        struct predicate_op *op = &p->ops[i];
        size_t size = tag_words(p, op);
        if (size == 0)
            continue;
        for (uint32_t j = 0; j < op->tag_count; j++) {
            uint32_t tag = p->tags[op->tag_first + j];
            bits[tag / 64] |= (uint64_t)1 << (tag % 64);
        }
        op->tag_bits = bits;
        op->tag_end = (uint32_t)size * 64;
        bits += size;
    }
}

/* Room for all that is bound. */
static bool make_room(struct predicate *p, const struct filter *filter)
{
    size_t circles = 0;
    for (uint32_t i = 0; i < filter->op_count; i++)
        circles += filter->ops[i].code == FILTER_WITHIN;
    p->ops = mem_try(MEM_SCRATCH, filter->op_count * sizeof(*p->ops));
    if (circles > 0)
        p->circles = mem_try(MEM_SCRATCH, circles * sizeof(*p->circles));
    return p->ops != NULL && (circles == 0 || p->circles != NULL);
}

struct predicate *predicate_new(const struct filter *filter, const struct fields *fields)
{
    struct predicate *p = mem_try_calloc(MEM_SCRATCH, sizeof(*p));
    if (p == NULL)
        return NULL;
    p->filter = filter;
    if (fields == NULL || fields->building || filter->stack_size > STACK)
        return p;
    struct binding *b =
        mem_try(MEM_SCRATCH, sizeof(*b) + (filter->op_count + 1) * sizeof(b->moved[0]));
    if (!make_room(p, filter) || b == NULL) {
        mem_free(MEM_SCRATCH, b);
        predicate_free(p);
        return NULL;
    }
    b->p = p;
    b->f = filter;
    if (bind_fields(b, fields) && bind_ops(b, fields)) {
        p->fields = fields;
        p->all_of = is_all_of(p);
        make_bits(p);
    }
    mem_free(MEM_SCRATCH, b);
    return p;
}

void predicate_free(struct predicate *p)
{
    if (p == NULL)
        return;
    mem_free(MEM_SCRATCH, p->ops);
    mem_free(MEM_SCRATCH, p->tags);
    mem_free(MEM_SCRATCH, p->bits);
    mem_free(MEM_SCRATCH, p->circles);
    mem_free(MEM_SCRATCH, p);
}

struct slice predicate_field_name(const struct predicate *p, size_t field)
{
    CHECK(p->fields != NULL);
    return schema_name(&p->fields->schema, field);
}

bool predicate_is_columnar(const struct predicate *p)
{
    return p->fields != NULL;
}

/* -- running, on a lane ------------------------------------------------------------------------ */

static bool has_tag(const struct predicate *p, const struct predicate_op *op, uint32_t tag)
{
    const uint32_t *tags = p->tags + op->tag_first;
    if (op->tag_bits != NULL)
        return tag < op->tag_end && (op->tag_bits[tag / 64] >> (tag % 64) & 1) != 0;
    size_t low = 0, high = op->tag_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (tags[middle] < tag)
            low = middle + 1;
        else
            high = middle;
    }
    return low < op->tag_count && tags[low] == tag;
}

/* Against a number null equals nothing, and has the place of 0 in the order. */
static bool compare(const struct predicate_op *op, const struct field_cell *cell)
{
    bool is_null = cell->state != FIELD_VALUE;
    double x = is_null ? 0 : cell->number;
    switch (op->compare) {
    case FILTER_EQ:
        return !is_null && x == op->number;
    case FILTER_NE:
        return is_null || x != op->number;
    case FILTER_GT:
        return x > op->number;
    case FILTER_GE:
        return x >= op->number;
    case FILTER_LT:
        return x < op->number;
    default:
        CHECK(op->compare == FILTER_LE);
        return x <= op->number;
    }
}

static struct value value_of_bool(bool b)
{
    return (struct value){.kind = VALUE_NUMBER, .number = b};
}

static struct value value_of_cell(const struct field_cell *cell)
{
    if (cell->state != FIELD_VALUE)
        return (struct value){.kind = VALUE_NULL};
    return (struct value){.kind = VALUE_NUMBER, .number = cell->number};
}

static inline bool is_tagged(const struct predicate *p, const struct predicate_op *op,
                             const struct field_cell *cell)
{
    return (cell->state == FIELD_VALUE && has_tag(p, op, cell->tag)) != op->negated;
}

static inline bool is_in_set(const struct predicate_op *op, const struct field_cell *cell)
{
    return cell->state == FIELD_VALUE && text_set_has(op->set, (uint32_t)cell->number);
}

/* Where the column does not tell, *doubt is set and the answer means nothing. */
static bool is_within(const struct predicate *p, const struct predicate_op *op,
                      const struct field_cell *cell, bool *doubt)
{
    if (cell->state != FIELD_VALUE)
        return false;
    enum geo_side side = geo_circle_side(&p->circles[op->circle], cell->point);
    *doubt |= side == GEO_AT_EDGE;
    return side == GEO_INSIDE;
}

static inline bool is_between(const struct predicate_op *op, const struct field_cell *cell)
{
    return cell->state == FIELD_VALUE && cell->number >= op->range.low &&
           cell->number <= op->range.high;
}

static bool run_all_of(const struct predicate *p, const struct field_cell *cells, bool *doubt)
{
    bool all = true;
    for (uint32_t at = 0; at < p->op_count && all; at++) {
        const struct predicate_op *op = &p->ops[at];
        if (op->code == PREDICATE_COMPARE)
            all = compare(op, &cells[op->arg]);
        else if (op->code == PREDICATE_TAG)
            all = is_tagged(p, op, &cells[op->arg]);
        else if (op->code == PREDICATE_GEO)
            all = is_within(p, op, &cells[op->arg], doubt);
        else if (op->code == PREDICATE_BETWEEN)
            all = is_between(op, &cells[op->arg]);
        else if (op->code == PREDICATE_SET)
            all = is_in_set(op, &cells[op->arg]);
    }
    return all;
}

static bool run(const struct predicate *p, const struct field_cell *cells, bool *doubt)
{
    if (p->all_of)
        return run_all_of(p, cells, doubt);
    struct value stack[STACK];
    struct value *top = stack - 1;
    for (uint32_t at = 0; at < p->op_count; at++) {
        const struct predicate_op *op = &p->ops[at];
        switch (op->code) {
        case PREDICATE_COMPARE:
            *++top = value_of_bool(compare(op, &cells[op->arg]));
            break;
        case PREDICATE_TAG:
            *++top = value_of_bool(is_tagged(p, op, &cells[op->arg]));
            break;
        case PREDICATE_GEO:
            *++top = value_of_bool(is_within(p, op, &cells[op->arg], doubt));
            break;
        case PREDICATE_BETWEEN:
            *++top = value_of_bool(is_between(op, &cells[op->arg]));
            break;
        case PREDICATE_SET:
            *++top = value_of_bool(is_in_set(op, &cells[op->arg]));
            break;
        case FILTER_CONSTANT:
            *++top = p->filter->constants[op->arg];
            break;
        case FILTER_FIELD:
            *++top = value_of_cell(&cells[op->arg]);
            break;
        case FILTER_EXISTS:
            *++top = value_of_bool(cells[op->arg].state != FIELD_MISSING);
            break;
        case FILTER_NOT:
            *top = value_of_bool(!value_truth(top));
            break;
        case FILTER_BOOL:
            *top = value_of_bool(value_truth(top));
            break;
        case FILTER_AND_TEST:
        case FILTER_OR_TEST:
            if (value_truth(top) == (op->code == FILTER_OR_TEST)) {
                *top = value_of_bool(op->code == FILTER_OR_TEST);
                at = op->arg - 1u; /* the loop adds one */
            } else {
                top--;
            }
            break;
        default:
            top--;
            *top = (struct value){.kind = VALUE_NUMBER,
                                  .number = filter_binary(p->filter, op->code, top, top + 1)};
        }
    }
    CHECK(top == stack);
    return value_truth(top);
}

static bool match_attribute(const struct predicate *p, const struct collection_view *v,
                            uint32_t row)
{
    return filter_match(p->filter, view_attribute(v, row));
}

static heap_ref attribute_ref(const struct collection_view *v, uint32_t row)
{
    return atomic_load_explicit(column_ref(v->base, COL_ATTR, row), memory_order_acquire);
}

bool predicate_match(const struct predicate *p, const struct collection_view *v, uint32_t row)
{
    if (p->fields == NULL || !v->has_fields)
        return match_attribute(p, v, row);
    struct field_cell cells[LIMIT_SCHEMA_FIELDS];
    bool several = p->read_count > 1;
    heap_ref before = several ? attribute_ref(v, row) : HEAP_NONE;
    bool readable = true;
    for (uint32_t i = 0; i < p->read_count; i++) {
        const struct predicate_read *read = &p->reads[i];
        cells[i] = field_read(read->kind, v->field_base[read->field], row);
        if (cells[i].state == FIELD_OTHER)
            return match_attribute(p, v, row);
        if (cells[i].is_set && read->by_text)
            return match_attribute(p, v, row);
        readable &=
            cells[i].state != FIELD_NONE && (cells[i].state != FIELD_MISSING || read->may_miss);
    }
    /* Of two attributes, the one before and the one after, a row must not show a part each. */
    if (several && attribute_ref(v, row) != before)
        return match_attribute(p, v, row);
    bool doubt = false;
    bool matches = readable && run(p, cells, &doubt);
    return doubt ? match_attribute(p, v, row) : matches;
}

void predicate_fetch(const struct predicate *p, const struct collection_view *v, uint32_t row)
{
    if (p->fields == NULL || !v->has_fields)
        __builtin_prefetch((const void *)column_ref(v->base, COL_ATTR, row));
    else
        for (uint32_t i = 0; i < p->read_count; i++)
            field_fetch(p->reads[i].kind, v->field_base[p->reads[i].field], row);
}
