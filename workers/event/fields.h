/* The members of a body that mean something to a rule, read once (docs/classification.md, section 1, "Fields"). The
   only place that sees json-c. Pure. */
#ifndef DROPBRIDGE_EVENT_FIELDS_H
#define DROPBRIDGE_EVENT_FIELDS_H

#include "common/strict_json.h"

#define FIELD_NAMES(F)                                                                                                 \
    F(type) F(event) F(data) F(status) F(event_id) F(drop_id) F(message_id) F(id) F(foreign_id)                        \
    F(campaign_id) F(campaign) F(campaign_name) F(attempt_date) F(event_at) F(timestamp) F(created_at)                 \
    F(reason) F(reason_code) F(status_code) F(product_cost) F(compliance_fee) F(tts_fee)                               \
    F(dnc) F(spam) F(campaign_session) F(dispo) F(phone_number) F(to) F(phone) F(contact) F(main_phone)                \
    F(mobile_phone) F(number) F(contact_phone) F(phoneNumber) F(from)                                                  \
    F(body) F(action) F(opt) F(keyword) F(opted_in) F(subscribed)

#define FIELD_NUMBER(name) FIELD_##name,
enum field { FIELD_NAMES(FIELD_NUMBER) FIELDS };
#undef FIELD_NUMBER

struct json_object; /* json-c's */

/* null and lists are nothing to any rule: they count as absent. */
enum json_kind { JSON_ABSENT, JSON_BOOLEAN, JSON_NUMBER, JSON_TEXT, JSON_OBJECT };

struct json_value {
    enum json_kind kind;
    struct bytes text; /* of a JSON_TEXT, a NUL behind it; of an integer within 64 bits its digits; else empty */
    union {
        double number;              /* of a JSON_NUMBER; infinite past a double's range; of a JSON_BOOLEAN 0 or 1 */
        struct json_object *object; /* of a JSON_OBJECT */
    };
};

/* Of a member that is given twice the last one counts. A name ends at a NUL in it. */
struct fields {
    struct bytes body;
    struct json_object *root; /* the values point into it */
    struct json_value in_body[FIELDS];
    struct json_value in_data[FIELDS];
    bool no_memory; /* a value was left out for want of memory; set by fields_inside and fields_next */
};

/* `body` has at most LIMIT_BODY_MAX bytes. JSON_OK: to be released with fields_clear; `body` must live as long. */
enum json_verdict fields_read(struct bytes body, struct fields *fields);
void fields_clear(struct fields *fields);

/* The member of an object that is itself a value; absent if `object` is none, or has none. */
struct json_value fields_inside(struct fields *fields, const struct json_value *object, enum field field);
/* The next member of an object that is itself a value, whatever its name, in the order of the text; *at is NULL at
   first. False at the end, or if `object` is none. */
bool fields_next(struct fields *fields, const struct json_value *object, const void **at, struct bytes *name,
                 struct json_value *value);

/* A number, or a text that is not empty; absent for every other value. */
struct json_value value_scalar(const struct json_value *value);

enum flag { FLAG_ABSENT, FLAG_FALSE, FLAG_TRUE };

/* true and false, however they are written: "Yes", "0", 1. */
enum flag value_flag(const struct json_value *value);

/* The first that is there, of the body and then of `data`. */
struct bytes field_text(const struct fields *fields, enum field field);
struct json_value field_scalar(const struct fields *fields, enum field field);
enum flag field_flag(const struct fields *fields, enum field field);

#endif
