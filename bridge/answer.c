#include "answer.h"

#include <stddef.h>

static const struct answer_row {
    const char *code;
    int status;
    const char *body;
} answer_rows[ANSWER_COUNT] = {
    [ANSWER_RECEIVED] = {"received", 200, "{\"received\":true}"},
    [ANSWER_HEALTHY] = {"healthy", 200, "{\"ok\":true}"},
#define ERROR_ROW(name, code, status, sentence)                                                                        \
    [ANSWER_##name] = {code, status, "{\"error\":{\"code\":\"" code "\",\"message\":\"" sentence "\"}}"},
#include "errors.def"
#undef ERROR_ROW
};

int answer_status(enum answer answer)
{
    return answer_rows[answer].status;
}

const char *answer_code(enum answer answer)
{
    return answer_rows[answer].code;
}

const char *answer_body(enum answer answer)
{
    return answer_rows[answer].body;
}

const char *answer_status_text(enum answer answer)
{
    static const struct {
        int status;
        const char *text;
    } texts[] = {
        {200, "OK"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {413, "Content Too Large"},
        {503, "Service Unavailable"},
    };
    const int status = answer_status(answer);

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (texts[i].status == status)
            return texts[i].text;
    }
    return "Unknown";
}

bool answer_loses_callback(enum answer answer)
{
    return answer == ANSWER_CALLBACK_NOT_CONFIGURED || answer == ANSWER_INVALID_CAMPAIGN ||
           answer == ANSWER_MISSING_TOKEN || answer == ANSWER_INVALID_TOKEN;
}
