package scenario;

public class Init {
    public Init() {
        throw new IllegalArgumentException("at init");
    }

    public void handle() {
    }
}
