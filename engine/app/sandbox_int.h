/* The verb sandbox: the one verb that is not a script, because it is the other side. */
#ifndef MT_APP_SANDBOX_INT_H
#define MT_APP_SANDBOX_INT_H

/* argv after the verb. */
int mt_app_sandbox(int argc, char **argv);

#endif
