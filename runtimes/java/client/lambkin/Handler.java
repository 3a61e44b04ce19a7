package lambkin;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import com.amazonaws.services.lambda.runtime.RequestStreamHandler;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.OutputStream;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Type;

/** A function that is ready to be called. */
abstract class Handler {
    private static final byte[] NULL = {'n', 'u', 'l', 'l'};

    /** Writes the result of an event. */
    abstract void call(byte[] event, ByteArrayOutputStream result, Context context) throws Throwable;

    /** Says with each invocation what was wrong with the function when it was loaded. */
    static Handler failing(final Fault fault) {
        return new Handler() {
            @Override
            void call(byte[] event, ByteArrayOutputStream result, Context context) {
                throw fault;
            }
        };
    }

    static Handler streams(final RequestStreamHandler function) {
        return new Handler() {
            @Override
            void call(byte[] event, ByteArrayOutputStream result, Context context) throws Throwable {
                function.handleRequest(new ByteArrayInputStream(event), result, context);
            }
        };
    }

    /** `input` and `output` may be null: there is none. */
    abstract static class Json extends Handler {
        private final Serializer reader;
        private final Serializer writer;

        Json(Type input, Type output) {
            boolean isVoid = output == null || output == void.class || output == Void.class;
            reader = input == null ? null : Serializer.of(input);
            writer = isVoid ? null : Serializer.of(output);
        }

        abstract Object call(Object input, Context context) throws Throwable;

        @Override
        void call(byte[] event, ByteArrayOutputStream result, Context context) throws Throwable {
            Object input = null;
            try {
                if (reader != null) input = reader.read(event);
            } catch (Throwable e) {
                throw new RuntimeException("An error occurred during JSON parsing", e);
            }
            Object output = call(input, context);
            try {
                if (writer == null) result.write(NULL);
                else writer.write(output, result);
            } catch (Throwable e) {
                throw new RuntimeException("An error occurred during JSON serialization of response", e);
            }
        }
    }

    static Handler typed(final RequestHandler<Object, Object> function, Type input, Type output) {
        return new Json(input, output) {
            @Override
            Object call(Object event, Context context) {
                return function.handleRequest(event, context);
            }
        };
    }

    /** A method with an event of that type, if `input` is not null. */
    static Handler method(final Object target, final Method method, final Type input, final boolean takesContext) {
        return new Json(input, method.getGenericReturnType()) {
            @Override
            Object call(Object event, Context context) throws Throwable {
                if (input == null) return takesContext ? invoke(method, target, context) : invoke(method, target);
                return takesContext ? invoke(method, target, event, context) : invoke(method, target, event);
            }
        };
    }

    /** A method that takes streams; what it returns does not count. */
    static Handler streams(final Object target, final Method method) {
        return new Handler() {
            @Override
            void call(byte[] event, ByteArrayOutputStream result, Context context) throws Throwable {
                Class<?>[] types = method.getParameterTypes();
                Object[] arguments = new Object[types.length];
                boolean writes = false;
                for (int i = 0; i < types.length; i++) {
                    if (types[i] == InputStream.class) arguments[i] = new ByteArrayInputStream(event);
                    else arguments[i] = types[i] == OutputStream.class ? result : context;
                    writes |= types[i] == OutputStream.class;
                }
                invoke(method, target, arguments);
                if (!writes) result.write(NULL);
            }
        };
    }

    static Object invoke(Method method, Object target, Object... arguments) throws Throwable {
        try {
            return method.invoke(target, arguments);
        } catch (InvocationTargetException e) {
            throw e.getCause() == null ? e : e.getCause();
        }
    }
}
