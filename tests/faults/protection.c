#include "protection.h"

#include <stdlib.h>
#include <string.h>

bool protection(const char *name)
{
    const size_t len = strlen(name);
    const char *list = getenv("DROPBRIDGE_WITHOUT");

    while (list && *list) {
        const size_t item = strcspn(list, ",");

        if (item == len && memcmp(list, name, len) == 0)
            return false;
        list += item + (list[item] == ',');
    }
    return true;
}
