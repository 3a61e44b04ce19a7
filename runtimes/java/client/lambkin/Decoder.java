package lambkin;

import java.lang.reflect.Array;
import java.lang.reflect.GenericArrayType;
import java.lang.reflect.Modifier;
import java.lang.reflect.Type;
import java.lang.reflect.TypeVariable;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collection;
import java.util.Deque;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.LinkedList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedDeque;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.LinkedBlockingDeque;

/** Reads JSON as values of one type. Which types, and what else than their own form is taken: spec/dataplane.md 6.5. */
abstract class Decoder {
    private static final Map<Type, Decoder> KNOWN = new ConcurrentHashMap<>();

    /** Whatever comes, but null. */
    abstract Object read(JsonReader in) throws Throwable;

    /** What null means. */
    Object none() {
        return null;
    }

    /** Whether an array of one element, or of none, stands for the element, or for null. */
    boolean unwraps() {
        return true;
    }

    final Object decode(JsonReader in) throws Throwable {
        if (in.takeNull()) return none();
        if (in.peek() != '[' || !unwraps()) return read(in);
        in.open('[');
        if (!in.more(']', true)) return none();
        Object value = decode(in);
        if (in.more(']', false)) throw in.fail("Expected one element");
        return value;
    }

    /** A whole document. What stands behind it does not count. */
    static Object document(String text, Type type) throws Throwable {
        return of(type).decode(new JsonReader(text));
    }

    static Decoder of(Type type) {
        Decoder known = KNOWN.get(type);
        if (known != null) return known;
        Decoder made = make(type);
        KNOWN.put(type, made);
        return made;
    }

    private static Decoder make(Type type) {
        Class<?> raw = Types.raw(type);
        if (type instanceof TypeVariable) return of(raw);
        if (raw == Object.class) return new Any();
        Decoder scalar = Scalars.of(raw);
        if (scalar != null) return scalar;
        if (raw.isEnum()) return new Enums(raw);
        if (raw.isArray()) return raw == byte[].class ? new Bytes() : new Arrays(component(type));
        if (Map.class.isAssignableFrom(raw)) return new Maps(type, raw);
        if (Collection.class.isAssignableFrom(raw) || raw == Iterable.class) return new Lists(type, raw);
        if (Times.isTime(raw)) return new Times.Reader(raw);
        if (Wrappers.isWrapper(raw)) return new Wrappers(type, raw);
        return new Beans(type, raw);
    }

    private static Type component(Type type) {
        return type instanceof GenericArrayType ? ((GenericArrayType) type).getGenericComponentType() : ((Class<?>) type).getComponentType();
    }

    private static final class Any extends Decoder {
        @Override
        Object read(JsonReader in) {
            return in.any();
        }

        @Override
        boolean unwraps() {
            return false;
        }
    }

    private static final class Bytes extends Decoder {
        @Override
        Object read(JsonReader in) {
            if (!in.isString()) throw in.fail("Cannot deserialize value of type `byte[]`");
            return Base64.getMimeDecoder().decode(in.string());
        }
    }

    /** A name that is none of them is null; a number is a position. */
    private static final class Enums extends Decoder {
        private final Map<String, Object> names = new HashMap<>();
        private final Object[] values;

        Enums(Class<?> raw) {
            values = raw.getEnumConstants();
            for (Object value : values) names.put(((Enum<?>) value).name(), value);
        }

        @Override
        Object read(JsonReader in) {
            if (in.isString()) return names.get(in.string());
            if (!in.isNumber()) throw in.fail("Cannot deserialize an enum");
            long position = Long.parseLong(in.number());
            return position >= 0 && position < values.length ? values[(int) position] : null;
        }
    }

    /** One value that is no array stands for an array of one. */
    private static final class Arrays extends Decoder {
        private final Type component;

        Arrays(Type component) {
            this.component = component;
        }

        @Override
        boolean unwraps() {
            return false;
        }

        @Override
        Object read(JsonReader in) throws Throwable {
            Class<?> raw = Types.raw(component);
            if (raw == char.class && in.isString()) return in.string().toCharArray();
            List<Object> list = new ArrayList<>();
            elements(in, of(component), list);
            Object array = Array.newInstance(raw, list.size());
            for (int i = 0; i < list.size(); i++) Array.set(array, i, list.get(i));
            return array;
        }
    }

    private static void elements(JsonReader in, Decoder element, Collection<Object> into) throws Throwable {
        if (in.peek() != '[') {
            into.add(element.decode(in));
            return;
        }
        in.open('[');
        for (boolean first = true; in.more(']', first); first = false) into.add(element.decode(in));
    }

    private static final class Lists extends Decoder {
        private final Class<?> raw;
        private final Type element;

        Lists(Type type, Class<?> raw) {
            this.raw = raw;
            element = Types.argument(type, raw == Iterable.class ? Iterable.class : Collection.class, 0);
        }

        @Override
        boolean unwraps() {
            return false;
        }

        @Override
        @SuppressWarnings("unchecked")
        Object read(JsonReader in) throws Throwable {
            if (in.isString() && Types.raw(element) != String.class && Types.raw(element) != Object.class && in.takeEmptyString()) return null;
            Collection<Object> list = (Collection<Object>) create();
            elements(in, of(element), list);
            return list;
        }

        @SuppressWarnings({"unchecked", "rawtypes"})
        private Object create() throws Throwable {
            if (EnumSet.class.isAssignableFrom(raw)) return EnumSet.noneOf((Class) Types.raw(element));
            if (!isAbstract(raw)) return Bean.of(raw).create();
            Class<?>[] choices = {ArrayList.class, HashSet.class, LinkedHashSet.class, TreeSet.class, LinkedList.class, ArrayDeque.class,
                ConcurrentLinkedDeque.class, LinkedBlockingDeque.class};
            return firstThatIs(raw, choices);
        }
    }

    private static boolean isAbstract(Class<?> raw) {
        return Modifier.isAbstract(raw.getModifiers());
    }

    private static Object firstThatIs(Class<?> raw, Class<?>[] choices) throws Throwable {
        for (Class<?> choice : choices) {
            if (raw.isAssignableFrom(choice)) return Bean.of(choice).create();
        }
        throw new IllegalArgumentException("Cannot construct instance of `" + raw.getName() + "`");
    }

    private static final class Maps extends Decoder {
        private final Class<?> raw;
        private final Type key;
        private final Type value;

        Maps(Type type, Class<?> raw) {
            this.raw = raw;
            key = Types.argument(type, Map.class, 0);
            value = Types.argument(type, Map.class, 1);
        }

        @Override
        @SuppressWarnings("unchecked")
        Object read(JsonReader in) throws Throwable {
            if (in.isString() && in.takeEmptyString()) return null;
            Map<Object, Object> map = (Map<Object, Object>) create();
            Decoder element = of(value);
            in.open('{');
            for (boolean first = true; in.more('}', first); first = false) {
                Object name = keyOf(in.name());
                map.put(name, element.decode(in));
            }
            return map;
        }

        private Object keyOf(String name) throws Throwable {
            Class<?> type = Types.raw(key);
            if (type == String.class || type == Object.class) return name;
            JsonWriter quoted = new JsonWriter();
            return of(key).decode(new JsonReader(quoted.string(name).toString()));
        }

        @SuppressWarnings({"unchecked", "rawtypes"})
        private Object create() throws Throwable {
            if (raw == EnumMap.class) return new EnumMap(Types.raw(key));
            if (!isAbstract(raw)) return Bean.of(raw).create();
            Class<?>[] choices = {LinkedHashMap.class, TreeMap.class, ConcurrentHashMap.class, ConcurrentSkipListMap.class};
            return firstThatIs(raw, choices);
        }
    }

    /** Unknown members are passed over, those that do not come keep what the constructor gave them. */
    private static final class Beans extends Decoder {
        private final Bean bean;
        private final Map<String, Bean.Property> names = new HashMap<>();
        private final Map<Bean.Property, Decoder> decoders = new HashMap<>();

        Beans(Type type, Class<?> raw) {
            bean = Bean.of(raw);
            Map<TypeVariable<?>, Type> bindings = Types.bindings(type);
            for (Bean.Property property : bean.properties.values()) {
                Type as = property.component >= 0 ? bean.canonical.getGenericParameterTypes()[property.component]
                    : property.settableAs(bean.isEvent);
                if (as == null) continue;
                names.put(bean.isEvent ? Bean.loose(property.name) : property.name, property);
                decoders.put(property, new Later(Types.resolve(as, bindings)));
            }
        }

        @Override
        Object read(JsonReader in) throws Throwable {
            if (in.isString() && in.takeEmptyString()) return null;
            if (in.peek() != '{') throw in.fail("Cannot deserialize value of type `" + bean.of.getName() + "`");
            return bean.canonical == null ? plain(in) : record(in);
        }

        private Bean.Property named(String name) {
            return names.get(bean.isEvent ? Bean.loose(name) : name);
        }

        private Object plain(JsonReader in) throws Throwable {
            Object object = bean.create();
            in.open('{');
            for (boolean first = true; in.more('}', first); first = false) {
                Bean.Property property = named(in.name());
                if (property == null) in.skip();
                else property.set(object, decoders.get(property).decode(in));
            }
            return object;
        }

        private Object record(JsonReader in) throws Throwable {
            Class<?>[] types = bean.canonical.getParameterTypes();
            Object[] arguments = new Object[types.length];
            for (int i = 0; i < types.length; i++) arguments[i] = of(types[i]).none();
            in.open('{');
            for (boolean first = true; in.more('}', first); first = false) {
                Bean.Property property = named(in.name());
                if (property == null) in.skip();
                else arguments[property.component] = decoders.get(property).decode(in);
            }
            try {
                return bean.canonical.newInstance(arguments);
            } catch (java.lang.reflect.InvocationTargetException e) {
                throw e.getCause();
            }
        }
    }

    /** Types may contain themselves. */
    private static final class Later extends Decoder {
        private final Type type;
        private Decoder found;

        Later(Type type) {
            this.type = type;
        }

        private Decoder found() {
            if (found == null) found = of(type);
            return found;
        }

        @Override
        Object none() {
            return found().none();
        }

        @Override
        boolean unwraps() {
            return false;
        }

        @Override
        Object read(JsonReader in) throws Throwable {
            return found().decode(in);
        }
    }
}
