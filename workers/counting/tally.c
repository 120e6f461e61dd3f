#include "tally.h"

#include "little_endian.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_SLOTS = 256, FIRST_ITEMS = 64, TEXTS_LIMIT = 4 * 1024 * 1024, NUMBERS_MAX = 32767 };

struct key {
    size_t name, name_len; /* in `texts` */
    unsigned how;
    int64_t ttl_s;
};

struct cell {
    size_t field, field_len;
    unsigned key;
};

struct class {
    struct tally_class what;
    unsigned campaign_costs, totals_costs, cost;
    unsigned count;
    uint16_t cells[TALLY_CLASS_CELLS];
};

struct slot {
    uint32_t hash, number; /* 0: free */
};

/* Keys, cells or classes by number, from 1; those that can be asked for are found by hash. */
struct list {
    char *items;
    size_t item_size, count, capacity;
    struct slot *slots;
    size_t slot_count; /* a power of two, or 0 */
};

struct tally {
    struct buf texts;
    struct list keys, cells, classes;
    bool failed;
};

struct tally *tally_new(void)
{
    struct tally *tally = calloc(1, sizeof *tally);

    if (!tally)
        return NULL;
    buf_init(&tally->texts, TEXTS_LIMIT);
    tally->keys.item_size = sizeof(struct key);
    tally->cells.item_size = sizeof(struct cell);
    tally->classes.item_size = sizeof(struct class);
    return tally;
}

static void clear(struct list *list)
{
    free(list->items);
    free(list->slots);
}

void tally_free(struct tally *tally)
{
    if (!tally)
        return;
    buf_clear(&tally->texts);
    clear(&tally->keys);
    clear(&tally->cells);
    clear(&tally->classes);
    free(tally);
}

static void empty(struct list *list)
{
    if (list->slot_count > 0)
        memset(list->slots, 0, list->slot_count * sizeof *list->slots);
    list->count = 0;
}

void tally_reset(struct tally *tally)
{
    buf_reset(&tally->texts);
    empty(&tally->keys);
    empty(&tally->cells);
    empty(&tally->classes);
    tally->failed = false;
}

/* --- Lists -------------------------------------------------------------------------------------------------------- */

static void *item(const struct list *list, size_t number)
{
    return list->items + list->item_size * (number - 1);
}

/* The number of a new item, all 0; 0 when out of memory or past what the script's numbers can name. */
static unsigned add(struct tally *tally, struct list *list)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity > 0 ? 2 * list->capacity : FIRST_ITEMS;
        char *items = realloc(list->items, capacity * list->item_size);

        if (items) {
            list->items = items;
            list->capacity = capacity;
        }
    }
    if (list->count == list->capacity || list->count == NUMBERS_MAX) {
        tally->failed = true;
        return 0;
    }
    memset(item(list, ++list->count), 0, list->item_size);
    return (unsigned)list->count;
}

static struct slot *slot_at(const struct list *list, size_t place)
{
    return &list->slots[place & (list->slot_count - 1)];
}

/* Room in the slots for one more. */
static bool widen(struct list *list)
{
    struct list wider = {.slot_count = list->slot_count > 0 ? 2 * list->slot_count : FIRST_SLOTS};

    if (2 * (list->count + 1) <= list->slot_count)
        return true;
    wider.slots = calloc(wider.slot_count, sizeof *wider.slots);
    if (!wider.slots)
        return false;
    for (size_t i = 0; i < list->slot_count; i++) {
        size_t place = list->slots[i].hash;

        while (slot_at(&wider, place)->number != 0)
            place++;
        *slot_at(&wider, place) = list->slots[i];
    }
    free(list->slots);
    list->slots = wider.slots;
    list->slot_count = wider.slot_count;
    return true;
}

typedef bool is_wanted(const struct tally *tally, const void *item, const void *wanted);

/* The number of what is wanted; *made is whether it is new, and still to be filled. 0 as add. */
static unsigned number_of(struct tally *tally, struct list *list, uint32_t hash, is_wanted *is, const void *wanted,
                          bool *made)
{
    size_t place = hash;
    struct slot *slot;

    *made = false;
    if (!widen(list)) {
        tally->failed = true;
        return 0;
    }
    for (slot = slot_at(list, place); slot->number != 0; slot = slot_at(list, ++place))
        if (slot->hash == hash && is(tally, item(list, slot->number), wanted))
            return slot->number;
    *slot = (struct slot){.hash = hash, .number = add(tally, list)};
    *made = slot->number > 0;
    return slot->number;
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

/* --- Keys and cells ----------------------------------------------------------------------------------------------- */

/* The name of a key, or a field of the key with that number. */
struct text {
    const void *data;
    size_t len;
    unsigned key;
};

static bool is_text(const struct tally *tally, size_t at, size_t len, const struct text *text)
{
    return text->len == len && (len == 0 || memcmp(tally->texts.data + at, text->data, len) == 0);
}

static bool is_key(const struct tally *tally, const void *known, const void *wanted)
{
    const struct key *key = known;

    return is_text(tally, key->name, key->name_len, wanted);
}

static bool is_cell(const struct tally *tally, const void *known, const void *wanted)
{
    const struct cell *cell = known;
    const struct text *text = wanted;

    return cell->key == text->key && is_text(tally, cell->field, cell->field_len, text);
}

static size_t keep_text(struct tally *tally, const struct text *text)
{
    size_t at = tally->texts.len;

    tally->failed |= !buf_append(&tally->texts, text->len > 0 ? text->data : "", text->len);
    return at;
}

unsigned tally_key(struct tally *tally, const char *key, unsigned how, int64_t ttl_s)
{
    const struct text text = {.data = key, .len = strlen(key)};
    bool made;
    unsigned number =
        number_of(tally, &tally->keys, hash_of(text.data, text.len, HASH_BEGIN), is_key, &text, &made);

    if (made)
        *(struct key *)item(&tally->keys, number) =
            (struct key){.name = keep_text(tally, &text), .name_len = text.len, .how = how, .ttl_s = ttl_s};
    return number;
}

unsigned tally_cell(struct tally *tally, unsigned key, const void *field, size_t len)
{
    const struct text text = {.data = field, .len = len, .key = key};
    uint32_t hash = hash_of(field, len, hash_of(&key, sizeof key, HASH_BEGIN));
    bool made = false;
    unsigned number = key > 0 ? number_of(tally, &tally->cells, hash, is_cell, &text, &made) : 0;

    if (made)
        *(struct cell *)item(&tally->cells, number) =
            (struct cell){.field = keep_text(tally, &text), .field_len = len, .key = key};
    return number;
}

unsigned tally_field(struct tally *tally, unsigned key, const char *field)
{
    return tally_cell(tally, key, field, strlen(field));
}

/* --- Classes ------------------------------------------------------------------------------------------------------ */

static bool is_class(const struct tally *tally, const void *known, const void *wanted)
{
    const struct class *class = known;

    (void)tally;
    return memcmp(&class->what, wanted, sizeof class->what) == 0;
}

unsigned tally_class(struct tally *tally, const struct tally_class *class, bool *made)
{
    uint32_t hash = hash_of(class, sizeof *class, HASH_BEGIN);
    unsigned number = number_of(tally, &tally->classes, hash, is_class, class, made);

    if (*made)
        memcpy(&((struct class *)item(&tally->classes, number))->what, class, sizeof *class);
    return number;
}

unsigned tally_class_alone(struct tally *tally)
{
    return add(tally, &tally->classes);
}

void tally_class_add(struct tally *tally, unsigned class, unsigned cell)
{
    struct class *row = class > 0 ? item(&tally->classes, class) : NULL;

    if (!row || cell == 0 || row->count == TALLY_CLASS_CELLS)
        tally->failed = true;
    else
        row->cells[row->count++] = (uint16_t)cell;
}

void tally_class_costs(struct tally *tally, unsigned class, unsigned campaign_cell, unsigned totals_cell)
{
    struct class *row = class > 0 ? item(&tally->classes, class) : NULL;

    if (!row || campaign_cell == 0 || totals_cell == 0) {
        tally->failed = true;
        return;
    }
    row->campaign_costs = campaign_cell;
    row->totals_costs = totals_cell;
}

void tally_class_cost(struct tally *tally, unsigned class, unsigned cell)
{
    struct class *row = class > 0 ? item(&tally->classes, class) : NULL;

    if (!row || cell == 0)
        tally->failed = true;
    else
        row->cost = cell;
}

/* --- Writing ------------------------------------------------------------------------------------------------------ */

size_t tally_keys(const struct tally *tally)
{
    return tally->keys.count;
}

size_t tally_cells(const struct tally *tally)
{
    return tally->cells.count;
}

size_t tally_classes(const struct tally *tally)
{
    return tally->classes.count;
}

bool tally_write(const struct tally *tally, struct arguments *arguments)
{
    if (tally->failed)
        return false;
    for (size_t i = 1; i <= tally->keys.count; i++) {
        const struct key *key = item(&tally->keys, i);
        uint8_t head[5];

        put_little_endian(put_little_endian(head, key->how, 1), (uint64_t)key->ttl_s, 4);
        arguments_add(arguments, tally->texts.data + key->name, key->name_len);
        arguments_add(arguments, head, sizeof head);
    }
    for (size_t i = 1; i <= tally->cells.count; i++) {
        const struct cell *cell = item(&tally->cells, i);

        arguments_add_number(arguments, cell->key);
        arguments_add(arguments, tally->texts.data + cell->field, cell->field_len);
    }
    for (size_t i = 1; i <= tally->classes.count; i++) {
        const struct class *class = item(&tally->classes, i);
        uint8_t row[6 + 2 * TALLY_CLASS_CELLS];
        uint8_t *at = put_little_endian(put_little_endian(row, class->campaign_costs, 2), class->totals_costs, 2);

        at = put_little_endian(at, class->cost, 2);
        for (unsigned n = 0; n < class->count; n++)
            at = put_little_endian(at, class->cells[n], 2);
        arguments_add(arguments, row, (size_t)(at - row));
    }
    return !arguments->bytes.overflow;
}
