#include "env/runtime_names.h"

#define CURRENT(name)                                                                              \
    {                                                                                              \
        S_INIT(name), false                                                                        \
    }
#define RETIRED(name)                                                                              \
    {                                                                                              \
        S_INIT(name), true                                                                         \
    }

const struct runtime_name runtime_names[RUNTIME_NAMES] = {
    CURRENT("nodejs20.x"), CURRENT("python3.14"), CURRENT("provided.al2023"),
    CURRENT("python3.12"), CURRENT("python3.13"), CURRENT("nodejs24.x"),
    CURRENT("nodejs22.x"), CURRENT("java25"),     CURRENT("python3.10"),
    CURRENT("python3.11"), CURRENT("java21"),     CURRENT("ruby3.3"),
    CURRENT("ruby3.4"),    CURRENT("ruby3.2"),    CURRENT("python3.8"),
    CURRENT("python3.9"),  CURRENT("java17"),     CURRENT("nodejs16.x"),
    CURRENT("dotnet10"),   CURRENT("dotnet8"),    CURRENT("java11"),
    CURRENT("dotnet6"),    CURRENT("nodejs18.x"), CURRENT("provided.al2"),
    CURRENT("java8.al2"),  RETIRED("java8"),      RETIRED("go1.x"),
    RETIRED("provided"),   RETIRED("ruby2.7"),    RETIRED("nodejs14.x"),
    RETIRED("nodejs12.x"), RETIRED("python3.7"),  RETIRED("dotnetcore3.1"),
};

const struct runtime_name *runtime_name_find(struct slice name)
{
    for (size_t i = 0; i < RUNTIME_NAMES; i++) {
        if (slice_eq(runtime_names[i].name, name))
            return &runtime_names[i];
    }
    return NULL;
}
