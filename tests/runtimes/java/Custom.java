package tests;

import com.amazonaws.services.lambda.runtime.CustomPojoSerializer;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.lang.reflect.Type;

/** Reads whatever comes as its type's name. */
public class Custom implements CustomPojoSerializer {
    public static class Other extends Custom {
    }

    @SuppressWarnings("unchecked")
    public <T> T fromJson(InputStream input, Type type) {
        return (T) type.getTypeName();
    }

    public <T> T fromJson(String input, Type type) {
        throw new AssertionError();
    }

    public <T> void toJson(T value, OutputStream output, Type type) {
        try {
            output.write(("{\"custom\":\"" + value + "\"}").getBytes());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
