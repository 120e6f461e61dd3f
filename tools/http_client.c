#include "http_client.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum { HEADER_SIZE = 512 };

struct http_client {
    CURL *curl;
};

struct http_client *http_client_new(struct error *error)
{
    struct http_client *client = NULL;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        error_set(error, ERROR_INTERNAL, "libcurl does not start");
        return NULL;
    }
    client = calloc(1, sizeof *client);
    if (client)
        client->curl = curl_easy_init();
    if (!client || !client->curl) {
        error_set(error, ERROR_NO_MEMORY, "out of memory");
        free(client);
        curl_global_cleanup();
        return NULL;
    }
    return client;
}

void http_client_free(struct http_client *client)
{
    if (!client)
        return;
    curl_easy_cleanup(client->curl);
    free(client);
    curl_global_cleanup();
}

bool http_url_check(const char *url, struct error *error)
{
    if (strncasecmp(url, "http://", 7) != 0 && strncasecmp(url, "https://", 8) != 0) {
        error_set(error, ERROR_USAGE, "must begin with http:// or https://");
        return false;
    }
    CURLU *parsed = curl_url();
    if (!parsed) {
        error_set(error, ERROR_NO_MEMORY, "out of memory");
        return false;
    }
    const CURLUcode code = curl_url_set(parsed, CURLUPART_URL, url, 0);
    curl_url_cleanup(parsed);
    if (code != CURLUE_OK)
        error_set(error, ERROR_USAGE, "is no URL that can be used: %s", curl_url_strerror(code));
    return code == CURLUE_OK;
}

/* What does not fit is dropped: the answer is for people to read. */
static size_t take_answer(char *data, size_t size, size_t count, void *context)
{
    struct buf *answer = context;
    const size_t len = size * count;
    const size_t room = answer->limit - answer->len;
    (void)buf_append(answer, data, len < room ? len : room);
    return len;
}

static struct curl_slist *make_headers(const struct http_header *headers, size_t count)
{
    /* No "Expect: 100-continue": the vendor does not send it, and an answer to it costs a round trip. */
    struct curl_slist *list = curl_slist_append(NULL, "Expect:");
    for (size_t i = 0; list && i < count; i++) {
        char line[HEADER_SIZE];
        (void)snprintf(line, sizeof line, "%s: %s", headers[i].name, headers[i].value);
        struct curl_slist *longer = curl_slist_append(list, line);
        if (!longer)
            curl_slist_free_all(list);
        list = longer;
    }
    return list;
}

static enum http_outcome outcome_of(CURLcode code, CURL *curl, struct error *error)
{
    long sent = 0;
    if (code == CURLE_OK)
        return HTTP_ANSWERED;
    const bool unusable = code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL;
    error_set(error, unusable ? ERROR_USAGE : ERROR_UNAVAILABLE, "%s", curl_easy_strerror(code));
    (void)curl_easy_getinfo(curl, CURLINFO_REQUEST_SIZE, &sent);
    return sent > 0 ? HTTP_NO_ANSWER : HTTP_NO_CONNECTION;
}

enum http_outcome http_client_post(struct http_client *client, const char *url, const struct http_header *headers,
                                   size_t header_count, struct bytes body, long *status, struct buf *answer,
                                   struct error *error)
{
    CURL *curl = client->curl;
    struct curl_slist *list = make_headers(headers, header_count);

    if (!list) {
        error_set(error, ERROR_NO_MEMORY, "out of memory");
        return HTTP_NO_ANSWER;
    }
    buf_reset(answer);
    curl_easy_reset(curl);
    (void)curl_easy_setopt(curl, CURLOPT_URL, url);
    (void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    (void)curl_easy_setopt(curl, CURLOPT_PROXY, "");
    (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)HTTP_TIMEOUT_MS);
    (void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list);
    (void)curl_easy_setopt(curl, CURLOPT_POST, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len);
    (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.len > 0 ? (const char *)body.data : "");
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_answer);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);

    const enum http_outcome outcome = outcome_of(curl_easy_perform(curl), curl, error);
    if (outcome == HTTP_ANSWERED)
        (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, status);
    curl_slist_free_all(list);
    return outcome;
}
