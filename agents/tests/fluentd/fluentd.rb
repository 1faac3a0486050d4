# As much of Fluentd as the scripts touch that are its plugins.

%w[fluent/plugin/output fluent/plugin/buffer fluent/plugin/out_http].each { |feature| $LOADED_FEATURES << "#{feature}.rb" }

module Kernel
  alias require_any require

  def require(feature)
    feature.start_with?('fluent/') ? true : require_any(feature)
  end
end

module Fluent
  EventTime = Struct.new(:sec, :nsec)
  class ConfigError < StandardError; end
  class UnrecoverableError < StandardError; end

  # A list of events.
  class MultiEventStream
    attr_reader :events

    def initialize = @events = []
    def add(time, event) = @events << [time.to_a, event]
    def size = @events.size
    def empty? = @events.empty?
  end

  module Plugin
    def self.register_output(_name, _plugin); end

    module Buffer
      class BufferOverflowError < StandardError; end
    end

    # Keeps what is said.
    class Log
      attr_reader :said

      def initialize = @said = []
      def warn(text, **) = @said << text
      def error(text, **) = @said << text
    end

    # What all outputs have.
    class Output
      def self.helpers(*); end
      def self.desc(_text); end
      def self.defaults = @defaults ||= {}

      # A parameter is a method too, which must not hide one of these.
      FLUENTD_OWN = %i[metadata write format process commit_write start stop shutdown close log label router system_config].freeze

      def self.config_param(name, *, **options)
        raise "Fluentd has a method #{name}" if FLUENTD_OWN.include?(name)

        attr_accessor(name)
        defaults[name] = options[:default]
      end

      def configure(settings)
        self.class.defaults.merge(settings || {}).each { |name, value| instance_variable_set("@#{name}", value) }
      end

      def start; end
      def shutdown; end
      def close; end
      def stopped? = false
      def sleep(_seconds); end
      def log = @log ||= Log.new
      def timer_execute(*); end
    end

    # What sends by HTTP.
    class HTTPOutput < Output
      class RetryableResponse < StandardError; end

      def create_request(chunk, _uri) = chunk.read
    end
  end
end
