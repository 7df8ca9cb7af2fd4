/* The clouds this binary knows. Each lives in a room of its own above this one, which declares
 * nothing of them but the table: hence the declarations here instead of an include. */
#include "provider/provider.h"

#include <string.h>

extern const struct mt_provider mt_provider_easemob;
extern const struct mt_provider mt_provider_rongcloud;

static const struct mt_provider *const providers[] = {&mt_provider_easemob, &mt_provider_rongcloud};

const struct mt_provider *mt_provider_find(const char *name)
{
    for (size_t i = 0; i < sizeof providers / sizeof providers[0]; i++)
        if (name != NULL && strcmp(providers[i]->name, name) == 0)
            return providers[i];
    return NULL;
}

const char *mt_provider_names(void)
{
    return "easemob, rongcloud";
}
