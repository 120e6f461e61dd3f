/* The bounds of the program, each with its reason. Settings may lower some of them; nothing raises them. */
#ifndef DROPBRIDGE_LIMITS_H
#define DROPBRIDGE_LIMITS_H

enum {
    /* Depth of JSON accepted from outside: the vendor's deepest sample has 4; json-c recurses once a level. */
    LIMIT_JSON_DEPTH = 32,
    /* Values in one JSON body, those in lists and objects included: json-c takes some 800 bytes for an empty object, so
       a body takes 8 MB at most. The vendor's largest sample has 52. */
    LIMIT_JSON_VALUES = 10000,
    /* A campaign's name in a URL or a key; longer ids from bodies are hashed. */
    LIMIT_CAMPAIGN = 64,
    /* The vendor echoes up to 256 characters, at 4 bytes each in UTF-8. */
    LIMIT_FOREIGN_ID = 1024,
    /* E.164 allows 15 digits; one more for the plus sign. */
    LIMIT_PHONE = 16,
    /* Unknown reasons and event names, as kept under dc:unknown_reasons and dc:events. */
    LIMIT_RAW_TEXT = 128,
    /* X-Event-Id and X-Attempt, as carried on in headers; the vendor's are a UUID and a digit. */
    LIMIT_EVENT_ID = 128,
    /* Secrets tried for one signature: the vendor allows 50 webhooks an account, two secrets each during rotation. */
    LIMIT_SECRETS = 128,
    /* MAX_BODY_BYTES cannot be set past this: RabbitMQ's default message limit is 16 MiB and the vendor sends 1 MB at
       most. */
    LIMIT_BODY_MAX = 16 * 1024 * 1024,
    /* What a worker holds of messages. An event takes 3 KB, so this bounds what cannot be dropped when it is read: bodies
       for the rejected queue. A quarter of what the worker may take: reading one body of LIMIT_BODY_MAX takes up to
       three times its size beside it. */
    LIMIT_HELD_BYTES = 32 * 1024 * 1024,
};

#endif
