/* Phone numbers as people write them. */
#include "common/drops/phone.h"

#include "cases.h"

#include <string.h>

static const struct {
    const char *text;
    const char *phone; /* NULL: none */
} phones[] = {
    {"+15552224444", "+15552224444"},
    {"15552224444", "+15552224444"},
    {"5552224444", "+15552224444"},
    {"(555) 222-4444", "+15552224444"},
    {"+1 (555) 222-4444", "+15552224444"},
    {"(+1) 555 222 4444", "+15552224444"},
    {"1.555.222.4444", "+15552224444"},
    {" 555/222/4444\n", "+15552224444"},
    {"+44 20 7946 0958", "+442079460958"},
    {"442079460958", "+442079460958"},
    {"\xe2\x80\xaa+1\xc2\xa0"
     "555\xe2\x80\x91"
     "222\xe2\x80\x91"
     "4444",
     "+15552224444"}, /* a direction mark, a no-break space and hyphens that do not break */
    /* a country code is told by its prefix, not by how many digits there are */
    {"+4791234567", "+4791234567"},
    {"004791234567", "+4791234567"},
    {"0013125550163", "+13125550163"},
    {"00 1 (312) 555-0163", "+13125550163"},
    {"011 44 20 7946 0958", "+442079460958"},
    {"(011) 44 20 7946 0958", "+442079460958"},
    {"011-1-312-555-0163", "+13125550163"},
    {"+44 (0)20 7946 0958", "+442079460958"},
    {"0044 (0) 20 7946 0958", "+442079460958"},
    {"011 44(0)2079460958", "+442079460958"},
    {"+49 (0)30 (0)12345", "+4930012345"},
    {"(+47) 91 23 45 67", "+4791234567"},
    {"011(44)2079460958", "+442079460958"},
    {"00-47-91234567", "+4791234567"},
    {"(0)312 555 0163", NULL},
    /* an extension is no part of it */
    {"(312) 555-0161 ext. 22", "+13125550161"},
    {"(312) 555-0161 EXT 22", "+13125550161"},
    {"312-555-0161x22", "+13125550161"},
    {"312-555-0161 X 22", "+13125550161"},
    {"312-555-0161 extension 22", "+13125550161"},
    {"312-555-0161#22", "+13125550161"},
    {"+1 312 555 0161, ext 22", "+13125550161"},
    {"tel:+1-312-555-0161;ext=22", "+13125550161"},
    {"TEL:3125550161", "+13125550161"},
    {"tel:+13125550161;phone-context=example.com", "+13125550161"},
    {"+1 (312) 555-0161,,22", "+13125550161"},
    {"3125550161,22#", "+13125550161"},
    {"1 312 555 0161 EXTN 5", "+13125550161"},
    {"tel:(312)555-0161 x9", "+13125550161"},
    {"+44(0) 20 7946 0958#3", "+442079460958"},
    {",3125550161", NULL},
    {"xxx-xxx-0161", NULL},
    {"ext. 22", NULL},
    {"#3125550161", NULL},
    {"tel:", NULL},
    /* 7 to 15 digits */
    {"123456", NULL},
    {"1234567", "+1234567"},
    {"+123456", NULL},
    {"+1234567", "+1234567"},
    {"00123456", NULL},
    {"123456789012345", "+123456789012345"},
    {"1234567890123456", NULL},
    {"+1234567890123456", NULL},
    {"00123456789012345", "+123456789012345"},
    {"001234567890123456", NULL},
    {"3125550161 / 3125550162", NULL},
    {"3125550161 3125550162 3125550163 3125550164 3125550165", NULL},
    /* no country code begins with 0 */
    {"+0013125550163", NULL},
    {"02079460958", NULL},
    {"0000000", NULL},
    /* what has letters left is something else */
    {"jane2024@example.com", NULL},
    {"13125550161@example.com", NULL},
    {"Jane 3125550161", NULL},
    {"3125550161 or 3125550162", NULL},
    {"1-800-FLOWERS", NULL},
    {"5a4b3c2d-1e0f-4a9b-8c7d-6e5f4a3b2c1d", NULL},
    {"@13125550161", NULL},
    {"7", NULL},
    {"+", NULL},
    {"", NULL},
    {" ", NULL},
    {"none", NULL},
    {"\xd9\xa1\xd9\xa2\xd9\xa3", NULL}, /* other scripts' digits */
};

static void phones_of_every_shape(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(phones); i++) {
        char phone[LIMIT_PHONE + 1] = "untouched";
        bool is_phone = phone_normalize(bytes_of_text(phones[i].text), phone);
        CHECK_CASE(phones[i].text, is_phone == (phones[i].phone != NULL));
        CHECK_CASE(phones[i].text, strcmp(phone, phones[i].phone ? phones[i].phone : "untouched") == 0);
    }
    char phone[LIMIT_PHONE + 1];
    assert_true(phone_normalize(bytes_of("555222\0"
                                         "4444",
                                         11),
                                phone));
    assert_string_equal(phone, "+15552224444");
}

static void a_phone_that_is_one_stays_as_it_is(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(phones); i++) {
        char phone[LIMIT_PHONE + 1];
        if (!phones[i].phone)
            continue;
        assert_true(phone_normalize(bytes_of_text(phones[i].phone), phone));
        assert_string_equal(phone, phones[i].phone);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(phones_of_every_shape),
        cmocka_unit_test(a_phone_that_is_one_stays_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
