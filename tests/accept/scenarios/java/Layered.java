package layered;

public final class Layered {
    private Layered() {
    }

    public static String word() {
        return "from the layer";
    }
}
