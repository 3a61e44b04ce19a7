package lambkin;

import java.io.FileDescriptor;
import java.lang.reflect.Field;

/** A file descriptor that is open by its number. The jar's manifest opens java.io for this. */
final class Descriptor {
    private Descriptor() {
    }

    static FileDescriptor of(int number) throws ReflectiveOperationException {
        FileDescriptor descriptor = new FileDescriptor();
        Field fd = FileDescriptor.class.getDeclaredField("fd");
        fd.setAccessible(true);
        fd.setInt(descriptor, number);
        return descriptor;
    }
}
