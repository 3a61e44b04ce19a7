/* Prints the man page: the text in lambkin.1.in with the settings' rows put in. Runs at build time.
 */
#include "bin/settings.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    static char line[4096];
    FILE *in = argc == 2 ? fopen(argv[1], "re") : NULL;
    if (!in)
        return 1;
    while (fgets(line, sizeof line, in)) {
        if (strcmp(line, "@SETTINGS@\n") != 0) {
            fputs(line, stdout);
            continue;
        }
        struct buf rows = BUF_INIT(1 << 20);
        settings_man_rows(&rows);
        fwrite(rows.p, 1, rows.n, stdout);
        buf_free(&rows);
    }
    fclose(in);
    return 0;
}
