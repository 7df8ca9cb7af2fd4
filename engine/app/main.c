/* Nothing but the entry: the program itself is in the library, where tests reach it. */
#include "app/app.h"

int main(int argc, char **argv)
{
    return mt_app_main(argc, argv);
}
