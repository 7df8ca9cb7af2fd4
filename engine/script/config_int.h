/* The jobs of a configuration, as config.c sees them. Private. */
#ifndef MT_SCRIPT_CONFIG_INT_H
#define MT_SCRIPT_CONFIG_INT_H

#include "script/config.h"

#include <lua.h>

struct mt_config_jobs;

/* The name at 1, the table at 2: checked and added; *at is made when it is NULL. Raises a Lua
 * error that names what is wrong. */
int mt_config_job_add(lua_State *L, struct mt_config_jobs **at, const char *config_path);
void mt_config_jobs_free(struct mt_config_jobs *jobs);
size_t mt_config_jobs_count(const struct mt_config_jobs *jobs);
const struct mt_job_config *mt_config_jobs_at(const struct mt_config_jobs *jobs, size_t i);
/* A path that is relative to the configuration's folder; NULL: memory is short. */
char *mt_config_path_beside(const char *config_path, const char *path);

#endif
