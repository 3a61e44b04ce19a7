package lambkin;

import java.lang.reflect.AccessibleObject;
import java.lang.reflect.Constructor;
import java.lang.reflect.Field;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.Type;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The properties of a class, in the order of its fields: public fields, getters, setters of any visibility, the components of a
 * record. Names are those of java.beans (spec/dataplane.md 6.5).
 */
final class Bean {
    /** Of AWS's library of events: their names in JSON differ from those of the properties in letters' case and dashes. */
    private static final String EVENTS = "com.amazonaws.services.lambda.runtime.events.";

    private static final Map<Class<?>, Bean> KNOWN = new ConcurrentHashMap<>();

    static final class Property {
        final String name;
        Field field; // any, also one that nobody else may touch
        Field visible;
        Method getter;
        Method setter;
        int component = -1; // of the record's constructor

        Property(String name) {
            this.name = name;
        }

        boolean isReadable() {
            return getter != null || visible != null;
        }

        Object get(Object of) throws Throwable {
            try {
                return getter != null ? getter.invoke(of) : visible.get(of);
            } catch (InvocationTargetException e) {
                throw e.getCause();
            }
        }

        void set(Object of, Object value) throws Throwable {
            try {
                if (setter != null) setter.invoke(of, value);
                else if (visible != null) visible.set(of, value);
                else field.set(of, value);
            } catch (InvocationTargetException e) {
                throw e.getCause();
            }
        }

        /** null: it cannot be set */
        Type settableAs(boolean anyField) {
            if (setter != null) return setter.getGenericParameterTypes()[0];
            if (visible != null) return visible.getGenericType();
            return anyField && field != null ? field.getGenericType() : null;
        }
    }

    final Class<?> of;
    final boolean isEvent;
    final Constructor<?> canonical; // of a record
    final Map<String, Property> properties = new LinkedHashMap<>();
    private Constructor<?> constructor; // null: there is none without arguments

    private Bean(Class<?> of) {
        this.of = of;
        isEvent = of.getName().startsWith(EVENTS);
        canonical = isRecord() ? components() : null;
        addFields();
        addMethods();
        if (canonical == null) findConstructor();
    }

    static Bean of(Class<?> type) {
        Bean bean = KNOWN.get(type);
        if (bean != null) return bean;
        bean = new Bean(type);
        KNOWN.put(type, bean);
        return bean;
    }

    private Property property(String name) {
        Property property = properties.get(name);
        if (property != null) return property;
        property = new Property(name);
        properties.put(name, property);
        return property;
    }

    /** False for what a module keeps to itself. */
    private static boolean open(AccessibleObject member) {
        try {
            member.setAccessible(true);
            return true;
        } catch (RuntimeException e) {
            return member instanceof Method && Modifier.isPublic(((Method) member).getDeclaringClass().getModifiers());
        }
    }

    private void findConstructor() {
        if (Modifier.isAbstract(of.getModifiers())) return;
        try {
            Constructor<?> found = of.getDeclaredConstructor();
            if (open(found)) constructor = found;
        } catch (NoSuchMethodException e) {
            // create() says so
        }
    }

    Object create() throws Throwable {
        if (constructor == null && isEvent) return Bare.create(of);
        if (constructor == null) {
            throw new IllegalArgumentException("Cannot construct instance of `" + of.getName()
                + "` (no Creators, like default constructor, exist)");
        }
        try {
            return constructor.newInstance();
        } catch (InvocationTargetException e) {
            throw e.getCause();
        }
    }

    // ---- records, by reflection, as Java 8 knows none ----

    private boolean isRecord() {
        Class<?> parent = of.getSuperclass();
        return parent != null && parent.getName().equals("java.lang.Record");
    }

    private Constructor<?> components() {
        try {
            Object[] found = (Object[]) Class.class.getMethod("getRecordComponents").invoke(of);
            Class<?>[] types = new Class<?>[found.length];
            for (int i = 0; i < found.length; i++) {
                Class<?> component = found[i].getClass();
                Property property = property((String) component.getMethod("getName").invoke(found[i]));
                property.component = i;
                property.getter = (Method) component.getMethod("getAccessor").invoke(found[i]);
                open(property.getter);
                types[i] = (Class<?>) component.getMethod("getType").invoke(found[i]);
            }
            Constructor<?> constructor = of.getDeclaredConstructor(types);
            open(constructor);
            return constructor;
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        }
    }

    // ---- fields and methods ----

    private void addFields() {
        Deque<Class<?>> classes = new ArrayDeque<>();
        for (Class<?> at = of; at != null && at != Object.class; at = at.getSuperclass()) classes.push(at);
        for (Class<?> at : classes) {
            for (Field field : at.getDeclaredFields()) {
                if (Modifier.isStatic(field.getModifiers()) || field.isSynthetic()) continue;
                Property property = property(field.getName());
                boolean isVisible = Modifier.isPublic(field.getModifiers()) && !Modifier.isTransient(field.getModifiers());
                if (canonical != null || !isVisible && !isEvent || !open(field)) continue;
                property.field = field;
                if (isVisible) property.visible = field;
            }
        }
    }

    private void addMethods() {
        for (Class<?> at = of; at != null && at != Object.class; at = at.getSuperclass()) {
            for (Method method : at.getDeclaredMethods()) add(method);
        }
        for (Method method : of.getMethods()) {
            if (method.getDeclaringClass().isInterface()) add(method); // default methods
        }
    }

    private void add(Method method) {
        int modifiers = method.getModifiers();
        if (Modifier.isStatic(modifiers) || method.isBridge() || method.isSynthetic() || method.getDeclaringClass() == Object.class) return;
        String name = method.getName();
        int parameters = method.getParameterCount();
        if (parameters == 1 && name.length() > 3 && name.startsWith("set")) {
            addSetter(property(named(name, 3)), method);
        } else if (parameters == 0 && Modifier.isPublic(modifiers) && isGetter(method, name)) {
            Property property = property(named(name, name.startsWith("is") ? 2 : 3));
            boolean better = property.getter == null || property.getter.getName().startsWith("is") && name.startsWith("get");
            if (better && open(method)) property.getter = method;
        }
    }

    private static boolean isGetter(Method method, String name) {
        Class<?> result = method.getReturnType();
        if (name.startsWith("get")) return name.length() > 3 && result != void.class && !name.equals("getClass");
        return name.startsWith("is") && name.length() > 2 && (result == boolean.class || result == Boolean.class);
    }

    /** Of several the one of the getter's or the field's type, else that of the subclass. */
    private void addSetter(Property property, Method method) {
        boolean better = property.setter == null || property.setter.getParameterTypes()[0] != typeOf(property.name)
            && method.getParameterTypes()[0] == typeOf(property.name);
        if (better && open(method)) property.setter = method;
    }

    private Class<?> typeOf(String name) {
        for (Class<?> at = of; at != null; at = at.getSuperclass()) {
            try {
                return at.getDeclaredField(name).getType();
            } catch (NoSuchFieldException e) {
                // perhaps its superclass has it
            }
        }
        return null;
    }

    /** As java.beans.Introspector.decapitalize: URL stays URL. */
    private static String named(String method, int prefix) {
        String name = method.substring(prefix);
        if (name.length() > 1 && Character.isUpperCase(name.charAt(0)) && Character.isUpperCase(name.charAt(1))) return name;
        return Character.toLowerCase(name.charAt(0)) + name.substring(1);
    }

    // ---- names ----

    /** As events' names are compared. */
    static String loose(String name) {
        StringBuilder out = new StringBuilder(name.length());
        for (int i = 0; i < name.length(); i++) {
            char c = name.charAt(i);
            if (c != '-' && c != '_') out.append(Character.toLowerCase(c));
        }
        return out.toString();
    }

    /** Objects without a constructor's help. */
    private static final class Bare {
        static Object create(Class<?> type) throws ReflectiveOperationException {
            Class<?> unsafe = Class.forName("sun.misc.Unsafe");
            Field instance = unsafe.getDeclaredField("theUnsafe");
            instance.setAccessible(true);
            return unsafe.getMethod("allocateInstance", Class.class).invoke(instance.get(null), type);
        }
    }
}
