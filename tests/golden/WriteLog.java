// Writes java_writer.hlog with HdrHistogram's own writer. Run by hand, with Debian's libhdrhistogram-java and a JDK:
//   java -cp /usr/share/java/hdrhistogram.jar WriteLog.java > java_writer.hlog
import org.HdrHistogram.Histogram;
import org.HdrHistogram.HistogramLogWriter;

public class WriteLog {
  public static void main(String[] arguments) {
    HistogramLogWriter writer = new HistogramLogWriter(System.out);
    writer.outputLogFormatVersion();
    writer.outputStartTime(1700000000000L);
    writer.outputLegend();
    for (int i = 0; i < 3; ++i) {
      Histogram histogram = new Histogram(1, 3600L * 1000 * 1000 * 1000, 3);
      for (int k = 0; k < 1000 * (i + 1); ++k) {
        histogram.recordValue((k + 1) * 7919000L % 3600000000000L + i);
      }
      histogram.setStartTimeStamp(1700000000000L + i * 1000L);
      histogram.setEndTimeStamp(1700000000000L + (i + 1) * 1000L);
      if (i > 0) {
        histogram.setTag("T");
      }
      writer.outputIntervalHistogram(histogram);
    }
  }
}
