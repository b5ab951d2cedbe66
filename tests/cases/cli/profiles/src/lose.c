/* C code under Rust frames; the second function claims to come from a file whose name is markup. */
#include <stdlib.h>

void *lose_in_c(unsigned long bytes)
{
    return malloc(bytes);
}

#line 7 "</script><b>\"&'.c"
void *lose_in_markup(unsigned long bytes)
{
    return malloc(bytes);
}
