#include "response.h"

#include <stddef.h>

static const struct response_row rows[RESPONSE_COUNT] = {
    [RESPONSE_RECEIVED] = {"received", 200, "{\"received\":true}", NULL},
    [RESPONSE_DUPLICATE] = {"duplicate", 200, "{\"received\":true,\"duplicate\":true}", NULL},
    [RESPONSE_HEALTHY] = {"healthy", 200, "{\"ok\":true}", NULL},
#define ERROR_ROW(name, code, status, sentence, remedy)                                                                \
    [RESPONSE_##name] = {code, status, "{\"error\":{\"code\":\"" code "\",\"message\":\"" sentence "\"}}", remedy},
#include "errors.def"
#undef ERROR_ROW
};

const struct response_row *response_row(enum response answer)
{
    return &rows[answer];
}
