# Makes standard records of what the sources read, and hands each output those that it wants. This file is the same for every policy:
# what a policy says is data, in pipeline.json.

require 'json'
require 'fluent/plugin/output'
require 'fluent/plugin/buffer'

require_relative 'tributary_lines'
require_relative 'tributary_pipeline'
require_relative 'tributary_pods'
require_relative 'tributary_records'

module Fluent
  module Plugin
    # Waits with its lock held while an output's buffer is full: then nothing more is read, and nothing is lost.
    class TributaryOutput < Output
      Fluent::Plugin.register_output('tributary', self)
      helpers :event_emitter, :timer

      desc 'The file with what the policy says'
      config_param :pipeline, :string

      # `apart` are the names that keep records apart; `streams` is what waits, by its tag.
      Target = Struct.new(:router, :conditions, :shape, :settings, :drops, :apart, :streams)

      def configure(conf)
        super
        data = JSON.parse(File.read(@pipeline))
        @joiner = Tributary::Joiner.new(data['multiline'], data['longestMessage'])
        @runtime = Tributary::Runtime.new
        @pods = pods(data['pods'])
        @records = Tributary::Records.new(ENV.fetch('K8S_NODE_NAME', nil), @pods)
        @selection = Tributary::Conditions.new(data['selection'])
        @levels = data['levels']
        @steps = Tributary::Steps.new(data['steps'], Tributary::Levels.new(@levels))
        @targets = data['outputs'].map { |output| target(output) }
        @lock = Mutex.new
        @since = 0.0
      end

      def multi_workers_ready?
        false
      end

      def start
        super
        timer_execute(:tributary_flush, 0.25) { @lock.synchronize { send_lines(@joiner.expired(now, @since)) } }
      end

      # The sources have ended by now; the outputs have not.
      def shutdown
        super
        @lock.synchronize { send_lines(@joiner.finish) }
      end

      # The tag says which source it is.
      def process(tag, events)
        @lock.synchronize do
          if tag == 'tributary.journal'
            events.each { |time, entry| keep(@records.of_journal(moment(time), entry, @levels['ofPriorities']), moment(time)) }
            flush
          else
            send_lines(lines(tag, events))
          end
        end
      end

      private

      def pods(data)
        Tributary::Pods.new(
          Tributary::Api.new,
          namespaces: data['namespaces'],
          required: data['required'],
          give_up: -> { stopped? },
          log: log
        )
      end

      def target(output)
        shape = output['shape']
        raise ConfigError, "unknown shape #{shape}" unless Tributary::Shapes::NAMES.include?(shape)

        Target.new(
          event_emitter_router(output['label']),
          Tributary::Conditions.new(output['where']),
          Tributary::Shapes.method(shape),
          Tributary::Shapes.settings(output['settings']),
          output['whenFull'] == 'drop',
          output['apart'].map { |name| Tributary::Name.read(name) },
          {}
        )
      end

      def now
        Process.clock_gettime(Process::CLOCK_MONOTONIC)
      end

      def moment(time)
        time.is_a?(EventTime) ? [time.sec, time.nsec] : [time.to_i, 0]
      end

      def lines(tag, events)
        of_container = tag == 'tributary.containers'
        found = []
        events.each do |_time, event|
          path, text = event.values_at('path', 'message')
          time, stream, piece, rest = of_container ? @runtime.read(text) : nil
          # What is not in the runtime's format is a line too.
          line = Tributary::Line.new(unrotated(path), stream, time || Tributary::Clock.now, rest || text, now)
          found.concat(@joiner.add(line, piece || false))
        end
        found
      end

      # A file goes on under its old name when another one takes its place.
      def unrotated(path)
        path.start_with?('/var/log/pods/') ? path.sub(/\.log\.2[^\/]*\z/, '.log') : path
      end

      def send_lines(lines)
        lines.each do |line|
          record, namespace_labels = line.path.start_with?('/var/log/pods/') ? @records.of_container(line) : @records.of_file(line)
          next if record.nil?
          next if namespace_labels && !@selection.met?(record.merge('namespace_labels' => namespace_labels))

          keep(record, line.time)
        end
        flush
      end

      # What is wrong with one record must not cost its batch.
      def keep(record, time)
        add(record, time)
      rescue StandardError => e
        log.error('a record is dropped, which is a defect of Tributary', error: e)
      end

      def add(record, time)
        record = @steps.apply(record)
        return if record.nil?

        record = Tributary.ordered(record)
        event_time = EventTime.new(*time)
        shaped = @targets.select { |target| target.conditions.met?(record) }.map do |target|
          [target, tag(target, record, time), target.shape.call(record, time, target.settings)]
        end
        shaped.each { |target, tag, event| (target.streams[tag] ||= MultiEventStream.new).add(event_time, event) }
      end

      def tag(target, record, time)
        return 'tributary' if target.apart.empty?

        target.apart.map { |name| name.of(record, time) }.join(' ')
      end

      def flush
        began = now
        @targets.each do |target|
          target.streams.each { |tag, stream| emit(target, tag, stream) }
          target.streams = {}
        end
        # While an output was full, nothing could be read: what waits has not waited.
        @since = now if now - began > 0.2
      end

      # A buffer that is full takes nothing of a batch, so the whole batch is offered again.
      def emit(target, tag, stream)
        target.router.emit_stream(tag, stream)
      rescue Buffer::BufferOverflowError
        return log.warn("a buffer is full: #{stream.size} new records are dropped") if target.drops

        if stopped?
          @targets.each { |other| other.streams = {} }
          raise
        end
        sleep 0.5
        retry
      end
    end
  end
end
