#include "damage.h"

#include "common/redis/refusal.h"

#include <stdio.h>
#include <string.h>

const char *damage_note(struct damage *damage, const char *prefix, struct bytes key, int64_t now_ms)
{
    char name[KEY_TEXT];
    size_t i = 0;

    snprintf(name, sizeof name, "%.*s", (int)key.len, (const char *)key.data);
    redis_refusal_mask_key(prefix, name);
    while (i < damage->count && strcmp(damage->keys[i].key, name) != 0)
        i++;
    if (i >= DAMAGE_KEYS) {
        i = DAMAGE_KEYS;
        snprintf(name, sizeof name, "(more)");
    }
    if (i < damage->count && now_ms - damage->keys[i].told_ms < DAMAGE_AGAIN_MS)
        return NULL;
    if (i == damage->count)
        damage->count++;
    memcpy(damage->keys[i].key, name, sizeof name);
    damage->keys[i].told_ms = now_ms;
    return damage->keys[i].key;
}
