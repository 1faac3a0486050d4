# Access tokens of Google: of a service account with a key, or of what the machine is. This file is the same for every policy. It uses
# nothing of Fluentd.

require 'json'
require 'net/http'
require 'openssl'
require 'uri'

module Tributary
  # One token, which is kept until shortly before it ends.
  class GoogleToken
    # The metadata server gives out the same token until five minutes before its end.
    EARLY = 120
    # Google takes no longer one.
    LIFETIME = 3600
    # How far the machine's clock may be ahead.
    SKEW = 60
    METADATA_PATH = '/computeMetadata/v1/instance/service-accounts/default/token'
    GRANT = 'urn:ietf:params:oauth:grant-type:jwt-bearer'

    # `key_file` is that of a service account's key in JSON; without one, `metadata` is the metadata server's address.
    def initialize(scope:, key_file:, metadata:)
      @scope = scope
      @key_file = key_file
      @metadata = URI(metadata)
      @ends = 0
    end

    def get
      return @token if @token && now < @ends

      answer = @key_file ? of_key : of_machine
      @ends = now + answer['expires_in'].to_i - EARLY
      @token = answer.fetch('access_token')
    end

    # What was refused is not shown again.
    def forget
      @token = nil
    end

    private

    def of_machine
      request = Net::HTTP::Get.new(METADATA_PATH, 'Metadata-Flavor' => 'Google')
      # It is never behind a proxy.
      ask(@metadata, request, nil)
    end

    def of_key
      uri, assertion = claim
      request = Net::HTTP::Post.new(uri.request_uri)
      request.set_form_data('grant_type' => GRANT, 'assertion' => assertion)
      ask(uri, request, :ENV)
    end

    # Whom to ask, and what for. The file is read each time, because it may have been replaced.
    def claim
      key = JSON.parse(File.read(@key_file))
      [URI(key.fetch('token_uri')), assertion(key)]
    rescue JSON::ParserError, KeyError, URI::InvalidURIError, OpenSSL::PKey::PKeyError
      raise "#{@key_file} is no key of a service account: put one in JSON into the Secret of credentialsSecretRef"
    end

    # A JSON Web Token that the key has signed.
    def assertion(key)
      issued = Time.now.to_i - SKEW
      claims = {
        'iss' => key.fetch('client_email'),
        'scope' => @scope,
        'aud' => key.fetch('token_uri'),
        'iat' => issued,
        'exp' => issued + LIFETIME
      }
      header = { 'alg' => 'RS256', 'typ' => 'JWT', 'kid' => key['private_key_id'] }.compact
      signed = [header, claims].map { |part| encoded(JSON.generate(part)) }.join('.')
      signature = OpenSSL::PKey::RSA.new(key.fetch('private_key')).sign('SHA256', signed)
      "#{signed}.#{encoded(signature)}"
    end

    def encoded(bytes)
      [bytes].pack('m0').tr('+/', '-_').delete('=')
    end

    def ask(uri, request, proxy)
      options = { use_ssl: uri.scheme == 'https', open_timeout: 10, read_timeout: 30 }
      answer = Net::HTTP.start(uri.hostname, uri.port, proxy, nil, nil, nil, options) { |http| http.request(request) }
      return JSON.parse(answer.body) if answer.is_a?(Net::HTTPSuccess)

      raise "#{uri.hostname} gives no access token: #{answer.code} #{answer.body.to_s[0, 500]}"
    end

    def now
      Process.clock_gettime(Process::CLOCK_MONOTONIC)
    end
  end
end
