#include "listen_error.h"

#include <errno.h>
#include <string.h>

enum error_code listen_error_code(const char *message)
{
    return strstr(message, strerror(EACCES)) ? ERROR_CONFIG : ERROR_NOT_YET;
}
