// What glibc's own module leaves out: mallopt(3) and malloc_trim(3).
#include <malloc.h>
