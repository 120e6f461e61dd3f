/* The members of a body that mean something to a rule, read in one pass over its text (docs/classification.md, section
   1, "Fields"). Pure. */
#ifndef DROPBRIDGE_EVENT_FIELDS_H
#define DROPBRIDGE_EVENT_FIELDS_H

#include "common/json_members.h"
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

/* JSON_ABSENT is what is not there. Texts have no escapes any more. Of a member that is given twice the last one counts. */
struct fields {
    struct bytes body;
    struct json_value in_body[FIELDS];
    struct json_value in_data[FIELDS];
    uint8_t *unescaped; /* NULL until a text has an escape; then what a text says begins where it stands in the body */
    bool no_memory;     /* a text with escapes could not be read */
};

/* What is read points into `body`, which must outlive it. JSON_OK: to be released with fields_clear. */
enum json_verdict fields_read(struct bytes body, struct fields *fields);
void fields_clear(struct fields *fields);

/* The member of an object that is itself a value; absent if `object` is none, or has none. */
struct json_value fields_inside(struct fields *fields, const struct json_value *object, enum field field);
/* The next member of an object that is itself a value, whatever its name; as json_next_member. */
bool fields_next(struct fields *fields, struct bytes *rest, struct bytes *name, struct json_value *value);

/* A text, or an integer's digits; empty for every other value. */
struct bytes value_text(const struct json_value *value);
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
