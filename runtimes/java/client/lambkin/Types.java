package lambkin;

import java.lang.reflect.Array;
import java.lang.reflect.GenericArrayType;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.lang.reflect.TypeVariable;
import java.lang.reflect.WildcardType;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.Map;

/** What type variables stand for. */
final class Types {
    private Types() {
    }

    static Class<?> raw(Type type) {
        if (type instanceof Class) return (Class<?>) type;
        if (type instanceof ParameterizedType) return raw(((ParameterizedType) type).getRawType());
        if (type instanceof GenericArrayType) return Array.newInstance(raw(((GenericArrayType) type).getGenericComponentType()), 0).getClass();
        if (type instanceof WildcardType) return raw(((WildcardType) type).getUpperBounds()[0]);
        return raw(((TypeVariable<?>) type).getBounds()[0]);
    }

    /** What the variables of a type's class, its superclasses and interfaces stand for. */
    static Map<TypeVariable<?>, Type> bindings(Type type) {
        Map<TypeVariable<?>, Type> known = new HashMap<>();
        Deque<Type> rest = new ArrayDeque<>();
        for (Type at = type; at != null; at = rest.poll()) {
            Class<?> raw = raw(at);
            if (at instanceof ParameterizedType) {
                Type[] arguments = ((ParameterizedType) at).getActualTypeArguments();
                for (int i = 0; i < arguments.length; i++) known.put(raw.getTypeParameters()[i], resolve(arguments[i], known));
            }
            if (raw.getGenericSuperclass() != null) rest.add(raw.getGenericSuperclass());
            for (Type implemented : raw.getGenericInterfaces()) rest.add(implemented);
        }
        return known;
    }

    /** `type` without variables that are known. */
    static Type resolve(Type type, Map<TypeVariable<?>, Type> known) {
        if (type instanceof TypeVariable) {
            Type found = known.get(type);
            return found == null ? type : found;
        }
        if (type instanceof WildcardType) return resolve(((WildcardType) type).getUpperBounds()[0], known);
        if (type instanceof GenericArrayType) {
            Type component = resolve(((GenericArrayType) type).getGenericComponentType(), known);
            return component instanceof Class ? Array.newInstance((Class<?>) component, 0).getClass() : new ArrayOf(component);
        }
        if (!(type instanceof ParameterizedType)) return type;
        Type[] arguments = ((ParameterizedType) type).getActualTypeArguments();
        for (int i = 0; i < arguments.length; i++) arguments[i] = resolve(arguments[i], known);
        return new Parameterized(raw(type), arguments);
    }

    /** The argument of that number of a generic class or interface which `type` is; Object if nobody says. */
    static Type argument(Type type, Class<?> of, int number) {
        TypeVariable<?> variable = of.getTypeParameters()[number];
        Type found = bindings(type).get(variable);
        return found == null ? Object.class : found;
    }

    private static final class Parameterized implements ParameterizedType {
        private final Class<?> raw;
        private final Type[] arguments;

        Parameterized(Class<?> raw, Type[] arguments) {
            this.raw = raw;
            this.arguments = arguments;
        }

        @Override
        public Type[] getActualTypeArguments() {
            return arguments.clone();
        }

        @Override
        public Type getRawType() {
            return raw;
        }

        @Override
        public Type getOwnerType() {
            return raw.getDeclaringClass();
        }

        @Override
        public boolean equals(Object other) {
            return other instanceof Parameterized && raw == ((Parameterized) other).raw
                && java.util.Arrays.equals(arguments, ((Parameterized) other).arguments);
        }

        @Override
        public int hashCode() {
            return raw.hashCode() ^ java.util.Arrays.hashCode(arguments);
        }
    }

    private static final class ArrayOf implements GenericArrayType {
        private final Type component;

        ArrayOf(Type component) {
            this.component = component;
        }

        @Override
        public Type getGenericComponentType() {
            return component;
        }

        @Override
        public boolean equals(Object other) {
            return other instanceof ArrayOf && component.equals(((ArrayOf) other).component);
        }

        @Override
        public int hashCode() {
            return component.hashCode();
        }
    }
}
