package tests;

import java.util.List;

/** Compiled for the JDK that is there: Java 8 has none. */
public class Records {
    public record Point(int x, int y, String name) {
        public String getExtra() {
            return "extra";
        }
    }

    public record Line(Point from, List<Point> to) {
        public Line {
            if (from == null) throw new IllegalArgumentException("from nowhere");
        }
    }

    public Line line(Line line) {
        return line;
    }
}
