package lambkin;

import java.io.File;
import java.net.MalformedURLException;
import java.net.URL;
import java.net.URLClassLoader;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The function's classes: /var/task, its lib/*.jar, then /opt/java/lib/*.jar by name. The client's classes come first, as AWS's do: the
 * interfaces of com.amazonaws.services.lambda.runtime are the same for all, whatever copy of them the function brings along.
 */
final class Package extends URLClassLoader {
    Package(File root, File layers) throws MalformedURLException {
        super(urls(root, layers), Package.class.getClassLoader());
    }

    private static URL[] urls(File root, File layers) throws MalformedURLException {
        List<URL> urls = new ArrayList<>();
        urls.add(root.toURI().toURL());
        addJars(new File(root, "lib"), urls);
        addJars(new File(layers, "lib"), urls);
        return urls.toArray(new URL[0]);
    }

    private static void addJars(File folder, List<URL> urls) throws MalformedURLException {
        String[] names = folder.list();
        if (names == null) return;
        Arrays.sort(names);
        for (String name : names) {
            if (name.endsWith(".jar")) urls.add(new File(folder, name).toURI().toURL());
        }
    }
}
