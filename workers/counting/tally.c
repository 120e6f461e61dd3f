#include "tally.h"

#include "little_endian.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_SLOTS = 256, KEYS_FIRST = 64, TEXTS_LIMIT = 4 * 1024 * 1024, NUMBERS_MAX = 32767 };

/* Texts and classes are found by hash; slots hold a number, 0 is free. */
struct table {
    uint32_t *slots;
    size_t size; /* a power of two, or 0 */
    size_t used;
};

struct key {
    size_t name, name_len; /* in `texts` */
    uint32_t hash;
    unsigned how;
    int64_t ttl_s;
};

struct cell {
    size_t field, field_len;
    uint32_t hash;
    unsigned key;
};

struct class {
    struct tally_class what;
    uint32_t hash;
    unsigned campaign_costs, totals_costs;
    unsigned count;
    uint16_t cells[TALLY_CLASS_CELLS];
};

/* A growing array. */
#define GROWING(type, name)                                                                                            \
    type *name;                                                                                                        \
    size_t name##_count, name##_capacity

struct tally {
    struct buf texts;
    GROWING(struct key, keys);
    GROWING(struct cell, cells);
    GROWING(struct class, classes);
    struct table key_table, cell_table, class_table;
    bool failed;
};

struct tally *tally_new(void)
{
    struct tally *tally = calloc(1, sizeof *tally);

    if (tally)
        buf_init(&tally->texts, TEXTS_LIMIT);
    return tally;
}

void tally_free(struct tally *tally)
{
    if (!tally)
        return;
    buf_clear(&tally->texts);
    free(tally->keys);
    free(tally->cells);
    free(tally->classes);
    free(tally->key_table.slots);
    free(tally->cell_table.slots);
    free(tally->class_table.slots);
    free(tally);
}

static void empty(struct table *table)
{
    if (table->size > 0)
        memset(table->slots, 0, table->size * sizeof *table->slots);
    table->used = 0;
}

void tally_reset(struct tally *tally)
{
    buf_reset(&tally->texts);
    tally->keys_count = tally->cells_count = tally->classes_count = 0;
    empty(&tally->key_table);
    empty(&tally->cell_table);
    empty(&tally->class_table);
    tally->failed = false;
}

/* FNV-1a. */
static uint32_t hash_of(const void *data, size_t len, uint32_t hash)
{
    const uint8_t *bytes = data;

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ bytes[i]) * UINT32_C(16777619);
    return hash;
}

static const uint32_t HASH_BEGIN = UINT32_C(2166136261);

/* Room for one more in an array; NULL when out of memory or past what the script's numbers can name. */
static void *grow(struct tally *tally, void *array, size_t count, size_t *capacity, size_t size)
{
    size_t wanted = *capacity > 0 ? 2 * *capacity : KEYS_FIRST;
    void *grown;

    if (count < *capacity)
        return array;
    grown = count < NUMBERS_MAX ? realloc(array, wanted * size) : NULL;
    if (grown)
        *capacity = wanted;
    else
        tally->failed = true;
    return grown;
}

static void place(struct table *table, uint32_t hash, uint32_t number)
{
    size_t at = hash & (table->size - 1);

    while (table->slots[at] != 0)
        at = (at + 1) & (table->size - 1);
    table->slots[at] = number;
    table->used++;
}

/* Makes room for one more; `hash_at` tells the hash of a number that is in it. */
static bool widen(struct tally *tally, struct table *table, uint32_t (*hash_at)(const struct tally *, uint32_t))
{
    size_t size = table->size > 0 ? 2 * table->size : FIRST_SLOTS;
    struct table wider = {.size = size};

    if (2 * (table->used + 1) <= table->size)
        return true;
    wider.slots = calloc(size, sizeof *wider.slots);
    if (!wider.slots) {
        tally->failed = true;
        return false;
    }
    for (size_t i = 0; i < table->size; i++)
        if (table->slots[i] != 0)
            place(&wider, hash_at(tally, table->slots[i]), table->slots[i]);
    free(table->slots);
    *table = wider;
    return true;
}

static bool is_text(const struct tally *tally, size_t at, size_t at_len, const void *text, size_t len)
{
    return at_len == len && (len == 0 || memcmp(tally->texts.data + at, text, len) == 0);
}

static bool keep_text(struct tally *tally, const void *text, size_t len, size_t *at)
{
    *at = tally->texts.len;
    tally->failed |= !buf_append(&tally->texts, len > 0 ? text : "", len);
    return !tally->failed;
}

static uint32_t key_hash(const struct tally *tally, uint32_t number)
{
    return tally->keys[number - 1].hash;
}

static uint32_t cell_hash(const struct tally *tally, uint32_t number)
{
    return tally->cells[number - 1].hash;
}

static uint32_t class_hash(const struct tally *tally, uint32_t number)
{
    return tally->classes[number - 1].hash;
}

unsigned tally_key(struct tally *tally, const char *key, unsigned how, int64_t ttl_s)
{
    size_t len = strlen(key);
    uint32_t hash = hash_of(key, len, HASH_BEGIN);
    struct key made = {.name_len = len, .hash = hash, .how = how, .ttl_s = ttl_s};
    struct key *keys;

    if (!widen(tally, &tally->key_table, key_hash))
        return 0;
    for (size_t at = hash & (tally->key_table.size - 1); tally->key_table.slots[at] != 0;
         at = (at + 1) & (tally->key_table.size - 1)) {
        const struct key *known = &tally->keys[tally->key_table.slots[at] - 1];

        if (known->hash == hash && is_text(tally, known->name, known->name_len, key, len))
            return tally->key_table.slots[at];
    }
    keys = grow(tally, tally->keys, tally->keys_count, &tally->keys_capacity, sizeof *keys);
    if (!keys)
        return 0;
    tally->keys = keys;
    if (!keep_text(tally, key, len, &made.name))
        return 0;
    tally->keys[tally->keys_count++] = made;
    place(&tally->key_table, hash, (uint32_t)tally->keys_count);
    return (unsigned)tally->keys_count;
}

unsigned tally_cell(struct tally *tally, unsigned key, const void *field, size_t len)
{
    uint32_t hash = hash_of(field, len, hash_of(&key, sizeof key, HASH_BEGIN));
    struct cell made = {.field_len = len, .hash = hash, .key = key};
    struct cell *cells;

    if (key == 0 || !widen(tally, &tally->cell_table, cell_hash))
        return 0;
    for (size_t at = hash & (tally->cell_table.size - 1); tally->cell_table.slots[at] != 0;
         at = (at + 1) & (tally->cell_table.size - 1)) {
        const struct cell *known = &tally->cells[tally->cell_table.slots[at] - 1];

        if (known->hash == hash && known->key == key && is_text(tally, known->field, known->field_len, field, len))
            return tally->cell_table.slots[at];
    }
    cells = grow(tally, tally->cells, tally->cells_count, &tally->cells_capacity, sizeof *cells);
    if (!cells)
        return 0;
    tally->cells = cells;
    if (!keep_text(tally, field, len, &made.field))
        return 0;
    tally->cells[tally->cells_count++] = made;
    place(&tally->cell_table, hash, (uint32_t)tally->cells_count);
    return (unsigned)tally->cells_count;
}

unsigned tally_field(struct tally *tally, unsigned key, const char *field)
{
    return tally_cell(tally, key, field, strlen(field));
}

static unsigned add_class(struct tally *tally, const struct class *made)
{
    struct class *classes = grow(tally, tally->classes, tally->classes_count, &tally->classes_capacity, sizeof *classes);

    if (!classes)
        return 0;
    tally->classes = classes;
    tally->classes[tally->classes_count++] = *made;
    return (unsigned)tally->classes_count;
}

unsigned tally_class(struct tally *tally, const struct tally_class *class, bool *made)
{
    struct class new = {.what = *class, .hash = hash_of(class, sizeof *class, HASH_BEGIN)};
    unsigned number;

    *made = false;
    if (!widen(tally, &tally->class_table, class_hash))
        return 0;
    for (size_t at = new.hash & (tally->class_table.size - 1); tally->class_table.slots[at] != 0;
         at = (at + 1) & (tally->class_table.size - 1)) {
        const struct class *known = &tally->classes[tally->class_table.slots[at] - 1];

        if (known->hash == new.hash && memcmp(&known->what, class, sizeof *class) == 0)
            return tally->class_table.slots[at];
    }
    number = add_class(tally, &new);
    if (number == 0)
        return 0;
    place(&tally->class_table, new.hash, number);
    *made = true;
    return number;
}

unsigned tally_class_alone(struct tally *tally)
{
    return add_class(tally, &(struct class){0});
}

void tally_class_add(struct tally *tally, unsigned class, unsigned cell)
{
    struct class *row = class > 0 ? &tally->classes[class - 1] : NULL;

    if (!row || cell == 0 || row->count == TALLY_CLASS_CELLS)
        tally->failed = true;
    else
        row->cells[row->count++] = (uint16_t)cell;
}

void tally_class_costs(struct tally *tally, unsigned class, unsigned campaign_cell, unsigned totals_cell)
{
    if (class == 0 || campaign_cell == 0 || totals_cell == 0) {
        tally->failed = true;
        return;
    }
    tally->classes[class - 1].campaign_costs = campaign_cell;
    tally->classes[class - 1].totals_costs = totals_cell;
}

size_t tally_keys(const struct tally *tally)
{
    return tally->keys_count;
}

size_t tally_cells(const struct tally *tally)
{
    return tally->cells_count;
}

size_t tally_classes(const struct tally *tally)
{
    return tally->classes_count;
}

bool tally_write(const struct tally *tally, struct arguments *arguments)
{
    if (tally->failed)
        return false;
    for (size_t i = 0; i < tally->keys_count; i++) {
        const struct key *key = &tally->keys[i];
        uint8_t head[5];

        put_little_endian(put_little_endian(head, key->how, 1), (uint64_t)key->ttl_s, 4);
        arguments_add(arguments, tally->texts.data + key->name, key->name_len);
        arguments_add(arguments, head, sizeof head);
    }
    for (size_t i = 0; i < tally->cells_count; i++) {
        const struct cell *cell = &tally->cells[i];

        arguments_add_number(arguments, cell->key);
        arguments_add(arguments, tally->texts.data + cell->field, cell->field_len);
    }
    for (size_t i = 0; i < tally->classes_count; i++) {
        const struct class *class = &tally->classes[i];
        uint8_t row[4 + 2 * TALLY_CLASS_CELLS];
        uint8_t *at = put_little_endian(put_little_endian(row, class->campaign_costs, 2), class->totals_costs, 2);

        for (unsigned n = 0; n < class->count; n++)
            at = put_little_endian(at, class->cells[n], 2);
        arguments_add(arguments, row, (size_t)(at - row));
    }
    return !arguments->failed;
}
