package lambkin;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import com.amazonaws.services.lambda.runtime.RequestStreamHandler;
import java.io.InputStream;
import java.io.OutputStream;
import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.Type;
import java.lang.reflect.TypeVariable;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Map;

/** What a handler string names. Which method of several, and which errors come with the first invocation: spec/dataplane.md 6.5. */
final class Loader {
    private Loader() {
    }

    /** Throws a Fault if the init has failed; others are told with each invocation. */
    static Handler load(String name, ClassLoader classes) {
        int colons = name.lastIndexOf("::");
        String className = colons < 0 ? name : name.substring(0, colons);
        String method = colons < 0 ? null : name.substring(colons + 2);
        if (className.isEmpty() || method != null && method.isEmpty()) return Handler.failing(new Fault("Invalid handler: `" + name + "'"));
        Class<?> type;
        try {
            type = Class.forName(className, true, classes);
        } catch (ClassNotFoundException e) {
            return Handler.failing(Fault.of("Class not found: " + className, e, false));
        } catch (NoClassDefFoundError e) {
            return Handler.failing(notLoaded(className, e));
        } catch (Throwable e) {
            throw notLoaded(className, e);
        }
        try {
            return method == null ? byInterface(type) : byMethod(type, method);
        } catch (Fault fault) {
            if (fault.fatal) throw fault;
            return Handler.failing(fault);
        } catch (Throwable e) {
            return Handler.failing(Fault.of(e, false));
        }
    }

    private static Fault notLoaded(String className, Throwable e) {
        return Fault.of("Error loading class " + className + (e.getMessage() == null ? "" : ": " + e.getMessage()), e, true);
    }

    private static Object create(Class<?> type) throws Throwable {
        Constructor<?> constructor;
        try {
            constructor = type.getConstructor();
        } catch (NoSuchMethodException e) {
            if (type.getEnclosingClass() != null && !Modifier.isStatic(type.getModifiers()))
                throw new Exception("Class " + type.getName() + " cannot be instantiated because it is a non-static inner class");
            throw new Exception("Class " + type.getName() + " has no public zero-argument constructor", e);
        }
        try {
            return constructor.newInstance();
        } catch (InvocationTargetException e) {
            throw Fault.of(e.getCause() == null ? e : e.getCause(), true);
        }
    }

    // ---- by interface ----

    @SuppressWarnings("unchecked")
    private static Handler byInterface(Class<?> type) throws Throwable {
        if (RequestStreamHandler.class.isAssignableFrom(type)) return Handler.streams((RequestStreamHandler) create(type));
        if (!RequestHandler.class.isAssignableFrom(type))
            throw new Fault("Class does not implement an appropriate handler interface: " + type.getName());
        Map<TypeVariable<?>, Type> known = Types.bindings(type);
        Type[] types = new Type[2];
        for (int i = 0; i < 2; i++) types[i] = concrete(type, known.get(RequestHandler.class.getTypeParameters()[i]));
        return Handler.typed((RequestHandler<Object, Object>) create(type), types[0], types[1]);
    }

    private static Type concrete(Class<?> of, Type type) {
        String why = "Class " + of.getName() + " does not implement RequestHandler with concrete type parameters";
        if (type == null) throw new Fault(why);
        if (!(type instanceof TypeVariable)) return type;
        for (Type bound : ((TypeVariable<?>) type).getBounds()) {
            if (bound != Object.class) return type;
        }
        throw new Fault(why + ": parameter " + type + " has no upper bound.");
    }

    // ---- by method ----

    private static Handler byMethod(Class<?> type, String name) throws Throwable {
        List<Method> candidates = new ArrayList<>();
        try {
            for (Method method : type.getMethods()) {
                if (method.getName().equals(name)) candidates.add(method);
            }
        } catch (NoClassDefFoundError e) {
            throw Fault.of("Error loading method " + name + " on class " + type.getName(), e, false);
        }
        Collections.sort(candidates, PREFERRED);
        for (Method method : candidates) {
            Handler handler = accept(type, method);
            if (handler != null) return handler;
        }
        throw new Fault("No public method named " + name + " with appropriate method signature found on class " + type.getName());
    }

    /** Longer ones first; a context at the end counts twice. */
    private static final Comparator<Method> PREFERRED = new Comparator<Method>() {
        @Override
        public int compare(Method one, Method other) {
            if (one.isBridge() != other.isBridge()) return one.isBridge() ? 1 : -1;
            return Integer.compare(weight(other), weight(one));
        }

        private int weight(Method method) {
            Class<?>[] types = method.getParameterTypes();
            return types.length + (types.length > 0 && types[types.length - 1] == Context.class ? 1 : 0);
        }
    };

    /** null: this is no signature of a handler; standard error says why. */
    private static Handler accept(Class<?> type, Method method) throws Throwable {
        String problem = problem(method.getParameterTypes(), method.getName());
        if (problem != null) {
            System.err.println(problem);
            return null;
        }
        Class<?>[] types = method.getParameterTypes();
        Object target = Modifier.isStatic(method.getModifiers()) ? null : create(type);
        try {
            method.setAccessible(true); // a public method of a class that is not
        } catch (RuntimeException e) {
            // a module keeps it; what is public can be called
        }
        if (types.length > 0 && (types[0] == InputStream.class || types[0] == OutputStream.class)) return streams(target, method);
        boolean takesContext = types.length > 0 && types[types.length - 1] == Context.class;
        boolean takesEvent = types.length > (takesContext ? 1 : 0);
        return Handler.method(target, method, takesEvent ? method.getGenericParameterTypes()[0] : null, takesContext);
    }

    private static Handler streams(Object target, Method method) {
        if (method.getReturnType() != void.class)
            System.err.println("Ignoring return type of method " + method.getName() + ": a handler of streams returns nothing");
        return Handler.streams(target, method);
    }

    /** AWS's words, which its users know from their logs. */
    private static String problem(Class<?>[] types, String name) {
        if (types.length < 2) return null;
        if (types.length > 3)
            return "Ignoring an overload of method " + name + " because it has too many parameters: Expected at most 3, got " + types.length;
        if (types.length == 3) {
            boolean fits = types[0] == InputStream.class && types[1] == OutputStream.class && types[2] == Context.class;
            return fits ? null
                : "Ignoring three-argument overload because argument signature is not (InputStream, OutputStream, Context";
        }
        if (types[0] == Context.class) return "Ignoring two-argument overload because first argument type is Context";
        boolean context = types[1] == Context.class;
        if (types[0] == OutputStream.class && !context)
            return "Ignoring two-argument overload because first argument type is OutputStream and second argument type is not Context";
        if (types[0] == InputStream.class && !context && types[1] != OutputStream.class)
            return "Ignoring two-argument overload because second parameter type, " + types[1].getName() + ", is not OutputStream.";
        if (types[0] != InputStream.class && !context) return "Ignoring two-argument overload because second parameter type is not Context";
        return null;
    }
}
