package lambkin;

import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.util.Map;

/** The variables, which Java lets nobody change. The jar's manifest opens java.lang for this. */
final class Environment {
    private final Map<Object, Object> variables;
    private final Method name;
    private final Method value;

    @SuppressWarnings("unchecked")
    Environment() throws ReflectiveOperationException {
        Class<?> environment = Class.forName("java.lang.ProcessEnvironment");
        Field map = environment.getDeclaredField("theEnvironment");
        map.setAccessible(true);
        variables = (Map<Object, Object>) map.get(null);
        name = textual("Variable");
        value = textual("Value");
    }

    private static Method textual(String of) throws ReflectiveOperationException {
        Method method = Class.forName("java.lang.ProcessEnvironment$" + of).getMethod("valueOf", String.class);
        method.setAccessible(true);
        return method;
    }

    /** null removes it. */
    void set(String variable, String text) throws ReflectiveOperationException {
        Object key = name.invoke(null, variable);
        if (text == null) variables.remove(key);
        else variables.put(key, value.invoke(null, text));
    }
}
